"""The clock of a machine on which an agent and its runners count a lease.

It goes on while the machine is suspended, where the system has such a clock: the lease runs out meanwhile.
Its readings mean nothing on any other machine.
"""

from __future__ import annotations

import time

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def lease_clock_ns() -> int:
    """Returns what the clock shows, in nanoseconds."""
    return time.clock_gettime_ns(_CLOCK)
