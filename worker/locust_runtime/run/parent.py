"""Ties the life of this process to the process that started it, so that no runner is ever left behind.

The kernel does it where it can (Linux): SIGKILL arrives when the parent ends, whatever ended the parent,
and even while C code holds the interpreter. Elsewhere the native thread of `watchdog.py` is all there is,
which such C code can hold up.

The kernel watches the *thread* that started this process: a parent must start runners from its main thread.
"""

from __future__ import annotations

import _socket  # never patched by gevent: this runs before and beside the hub
import ctypes
import os
import signal
import struct
import sys

PR_SET_PDEATHSIG = 1
"""Number of the prctl operation that asks for a signal at the parent's death (linux/prctl.h)."""


class ParentIsGone(Exception):
    """The process that made the link is not this process's parent (any more)."""


def die_with_parent(link_fd: int) -> None:
    """Ask the kernel to kill this process when its parent ends. Does nothing where there is no such call.

    Raises `ParentIsGone` when the parent ended before the kernel was asked: it is compared with the maker
    of the socket pair that `link_fd` belongs to.
    """
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    maker_pid = _link_maker_pid(link_fd)
    # 0: the maker is in another pid namespace, so there is nothing to compare with.
    if maker_pid not in (0, os.getppid()):
        raise ParentIsGone(f"the link was made by process {maker_pid}, the parent is {os.getppid()}")


def _link_maker_pid(link_fd: int) -> int:
    """The process that called socketpair(); the kernel noted it then, and it survives that process."""
    duplicate = _socket.socket(fileno=os.dup(link_fd))
    try:
        credentials = duplicate.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, struct.calcsize("3i"))
    finally:
        duplicate.close()
    pid, _uid, _gid = struct.unpack("3i", credentials)
    return int(pid)
