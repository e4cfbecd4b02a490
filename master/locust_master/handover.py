"""Users that move from one worker to another: nobody starts one before whoever had it has heard that.

A worker that is cut off goes on with the plan that it knows, until its lease is over. So a plan that takes
users away is followed in two halves: what it stops, at once; what it starts, when all who lose something say
that they have applied it, or are gone. While everybody is in touch that is so before the first step is due.
And it must be in the store by then: a master that is started again would give the users back to whoever had
them.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from locust_master.membership import Member
from locust_protocol.limits import LEASE_REASSIGN_GRACE_S

BLOCKED_PATIENCE_S = 5.0
"""Seconds beyond the time after which a silent worker is given up, for one that is heard and does not do what
it is told: its runner is blocked, and it cannot keep everybody waiting."""


@dataclass(frozen=True, slots=True)
class _Word:
    """What is waited for: that a worker applied a generation; None: the next one that is made."""

    since_us: int
    generation: int | None = None


@dataclass(slots=True)
class Handover:
    """Who has still to say that it gives users away; by member key."""

    is_pending: bool = False
    """True while nothing may be started."""
    _unkept: int = 0
    """Plans that are on their way to the store."""
    _awaited: dict[str, _Word] = field(default_factory=dict)

    @property
    def is_heard(self) -> bool:
        """True when nothing is waited for."""
        return not self._awaited and not self._unkept

    def begin(self, givers: Iterable[str], *, at_us: int) -> None:
        """Waits for these to apply the next generation, besides those who are waited for already."""
        for key in givers:
            self.is_pending = True
            known = self._awaited.get(key)
            self._awaited[key] = _Word(at_us if known is None else known.since_us)

    def end(self) -> None:
        """What was held back is not any more."""
        self.is_pending = False
        self._awaited.clear()

    def note_planned(self) -> None:
        """A plan goes to the store."""
        self._unkept += 1

    def note_kept(self) -> None:
        """The store has one more plan, or cannot have it."""
        self._unkept -= 1

    def note_generation(self, generation: int) -> None:
        """The generation was made in which all are told."""
        for key, word in self._awaited.items():
            if word.generation is None:
                self._awaited[key] = _Word(word.since_us, generation)

    def note_heard(self, member: Member) -> None:
        """A member told how far it is."""
        word = self._awaited.get(member.key)
        if word is None or word.generation is None:
            return
        if member.status.observed_generation >= word.generation:
            del self._awaited[member.key]

    def expire(self, live: Iterable[Member], *, at_us: int, lease_ttl_s: float) -> None:
        """Waits no more for who is gone, nor for ever for who does not do it."""
        patience_us = round((lease_ttl_s + LEASE_REASSIGN_GRACE_S + BLOCKED_PATIENCE_S) * 1e6)
        keys = {member.key for member in live}
        self._awaited = {
            key: word
            for key, word in self._awaited.items()
            if key in keys and at_us - word.since_us < patience_us
        }
