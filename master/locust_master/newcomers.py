"""Workers that joined while a run goes on, until they may be given a share of it. Pure.

A newcomer must have loaded the locustfile, or all users that fall due meanwhile would start at once when it
has. And everybody who may have to give users away must have been heard since it came: the handover waits for
their word, and nobody starts a user while one of them is cut off. A newcomer can wait; the others need not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from locust_master.membership import Member

FRESH_INTERVALS = 1.5
"""Report intervals within which everybody must have been heard before users move."""

FRESH_PATIENCE_S = 15.0
"""Seconds after which a newcomer gets its share even if somebody always reports late."""


@dataclass(frozen=True, slots=True)
class _Newcomer:
    joined_s: float
    generation: int

    def may_follow(self, told_s: float, *, now_s: float, interval_s: float) -> bool:
        """True when all others were heard since it came, and a moment ago."""
        is_fresh = now_s - told_s <= FRESH_INTERVALS * interval_s or now_s - self.joined_s > FRESH_PATIENCE_S
        return told_s > self.joined_s and is_fresh


class Newcomers:
    """Those that wait, by member key."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Newcomer] = {}

    def add(self, member: Member, *, generation: int, now_s: float) -> None:
        """Lets a member wait until it has applied `generation`, in which it has no users."""
        self._waiting[member.key] = _Newcomer(now_s, generation)

    def clear(self) -> None:
        """Nobody waits: a run begins, for which all have loaded the locustfile."""
        self._waiting.clear()

    def without(self, members: Iterable[Member]) -> list[Member]:
        """Returns the members that do not wait."""
        return [member for member in members if member.key not in self._waiting]

    def admit(self, live: Iterable[Member], *, now_ns: int, interval_s: float) -> bool:
        """Lets in those whose time has come; True when there were some. Forgets those that are gone.

        `interval_s` is how often workers report: who has not for longer may be cut off since.
        """
        if not self._waiting:
            return False
        live = list(live)
        keys = {member.key for member in live}
        self._waiting = {key: each for key, each in self._waiting.items() if key in keys}
        told_s = min((member.told_s for member in live if member.key not in self._waiting), default=None)
        ready = [
            member.key
            for member in live
            if (each := self._waiting.get(member.key)) is not None
            and member.status.observed_generation >= each.generation
            and (told_s is None or each.may_follow(told_s, now_s=now_ns / 1e9, interval_s=interval_s))
        ]
        for key in ready:
            del self._waiting[key]
        return bool(ready)
