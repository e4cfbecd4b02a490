"""The limit of open files: a process of ours may have as many connections as its hard limit allows.

Never lowers a limit, and never fails: a system may refuse what it says that it allows.
"""

from __future__ import annotations

import resource


def raise_descriptor_limit() -> int:
    """Raises the soft limit of open files to the hard one and returns what holds from now on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):  # macOS has a lower bound of its own than the one that it tells
        return soft
    return hard
