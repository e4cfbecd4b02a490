"""When a plan is to be made anew because workers came, went, or run nothing. Pure.

A plan for 1,000 workers takes some 60 ms of the master's loop. When hundreds of them come back at once, one
plan for each would keep the loop from acknowledging reports, and the leases of all would run out.
"""

from __future__ import annotations

from locust_master.membership import Member

PAUSE_NS = 50_000_000
"""Nanoseconds between two plans, at least, for changes of the membership."""

PAUSE_PER_WORKER_NS = 500_000
"""Nanoseconds more for each worker: plans take a tenth of the loop's time, at most."""


class ReplanWish:
    """The wish for a new plan, and who runs nothing until it is made."""

    def __init__(self) -> None:
        self._is_wished = False
        self._idle: set[str] = set()
        self._planned_ns: int | None = None

    def note(self, idle: Member | None) -> None:
        """A new plan is wanted; `idle` is a member that runs nothing, whatever was planned."""
        self._is_wished = True
        if idle is not None:
            self._idle.add(idle.key)

    def is_idle(self, member: Member) -> bool:
        """True while a member runs nothing, and the plan does not know it yet."""
        return member.key in self._idle

    def is_due(self, now_ns: int, *, workers: int) -> bool:
        """True when a plan is wanted and the last one is long enough ago."""
        if not self._is_wished or self._planned_ns is None:
            return self._is_wished
        return now_ns - self._planned_ns >= PAUSE_NS + workers * PAUSE_PER_WORKER_NS

    def take(self, now_ns: int) -> frozenset[str]:
        """The plan is made now; returns the keys of those who run nothing."""
        idle, self._idle = frozenset(self._idle), set()
        self._is_wished, self._planned_ns = False, now_ns
        return idle
