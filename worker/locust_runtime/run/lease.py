"""How long this runner may run users if it hears nothing more of its agent.

The agent gives up its users when its master acknowledges nothing for the length of a lease, as another worker
may have them by then. An agent that is stopped cannot do that, and its runners would go on: so each ping says
how much of the lease is left, and a runner that hears no further ping ends its users by itself.

Must never touch gevent: `renew` is called on the watchdog's thread.
"""

from __future__ import annotations

import time

GRACE_S = 1.0
"""Seconds beyond the lease, so that an agent that lives gives the order itself; a master waits for longer."""

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Lease:
    """The lease as the last ping had it. For any thread."""

    __slots__ = ("_until_s",)

    def __init__(self) -> None:
        self._until_s: float | None = None

    def renew(self, left_ms: int) -> None:
        """It lasts so many milliseconds from now."""
        self._until_s = time.clock_gettime(_CLOCK) + left_ms / 1000 + GRACE_S

    @property
    def is_over(self) -> bool:
        """Whether users have to end; never, as long as no lease was heard of."""
        return self._until_s is not None and time.clock_gettime(_CLOCK) >= self._until_s
