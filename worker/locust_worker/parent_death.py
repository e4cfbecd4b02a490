"""Ends this process with the one that started it, for a worker that a master started beside itself.

Where the kernel can do it (Linux) it kills at once, whatever ended the parent; elsewhere the agent looks at
its parent now and then. The kernel watches the thread that started this process, so a master starts its
worker from its main thread.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from locust_protocol.process.errors import DegradedError

VARIABLE = "LOCUST_WORKER_PARENT_DEATH"
"""Environment variable that asks for it with the value 1."""

PR_SET_PDEATHSIG = 1
"""Number of the prctl operation that asks for a signal at the parent's death (linux/prctl.h)."""


def die_with_parent_if_asked() -> int | None:
    """Asks the kernel to kill this process when its parent ends, if the environment says so.

    Returns the parent's pid, for `is_orphan`; None when it was not asked for. The variable is removed, so
    that no child takes it for itself. Raises `DegradedError` when the parent is gone already.
    """
    if os.environ.pop(VARIABLE, "") != "1":
        return None
    parent_pid = os.getppid()
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if parent_pid == 1 or os.getppid() != parent_pid:
        raise DegradedError("the master that started this worker is gone")
    return parent_pid


def is_orphan(parent_pid: int | None) -> bool:
    """True when this process was to die with `parent_pid`, and that has ended."""
    return parent_pid is not None and os.getppid() != parent_pid
