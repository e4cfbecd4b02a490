"""How long this runner may run users if it hears nothing more of its agent.

The agent gives up its users when its master acknowledges nothing for the length of a lease, as another worker
may have them by then. An agent that is stopped cannot do that, and its runners would go on: so each ping says
until when the lease lasts, and a runner that hears no further ping ends its users by itself. That is a moment
on the machine's clock: a runner that was stopped itself reads pings late.

Must never touch gevent: `renew` is called on the watchdog's thread.
"""

from __future__ import annotations

from locust_protocol.process.lease_clock import lease_clock_ns

GRACE_S = 1.0
"""Seconds beyond the lease, so that an agent that lives gives the order itself; a master waits for longer."""


class Lease:
    """The lease as the last ping had it. For any thread."""

    __slots__ = ("_until_ns",)

    def __init__(self) -> None:
        self._until_ns: int | None = None

    def renew(self, until_ns: int) -> None:
        """It lasts until the lease clock shows that."""
        self._until_ns = until_ns + round(GRACE_S * 1e9)

    @property
    def is_over(self) -> bool:
        """Whether users have to end; never, as long as no lease was heard of."""
        return self._until_ns is not None and lease_clock_ns() >= self._until_ns
