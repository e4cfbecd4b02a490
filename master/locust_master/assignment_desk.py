"""Hands out assignments: numbers their generations, and has each member told what it should be running now.

A message is made when a member's stream takes it, so one that takes late is told the newest.
"""

from __future__ import annotations

from locust_master.assignments import Offer, assignment_pause_s, make_assignment
from locust_master.mailboxes import Mailboxes
from locust_master.membership import Member, Membership
from locust_master.run import Run
from locust_master.sharing import Sharing
from locust_protocol.v1 import assignment_pb2

GENERATION_LEAP = 1_000
"""Generations that an earlier life of the master may have made after it last wrote its store."""


class AssignmentDesk:
    """The newest generation, and what is on offer while no run goes on."""

    def __init__(
        self, membership: Membership, mailboxes: Mailboxes, sharing: Sharing, *, first_generation: int
    ) -> None:
        self.generation = self.commanded_generation = first_generation
        self.offer = Offer()
        self._membership = membership
        self._mailboxes = mailboxes
        self._sharing = sharing
        self._runners = 0
        self._next_s = 0.0
        self._is_waiting = False

    def is_due(self, now_s: float) -> bool:
        """True when everybody may be told that workers came or went; if not now, then it is overdue later."""
        self._is_waiting = True
        return self.is_overdue(now_s)

    def is_overdue(self, now_s: float) -> bool:
        """True when the time has come to tell what could not be told at once."""
        if not self._is_waiting or now_s < self._next_s:
            return False
        self._next_s = now_s + assignment_pause_s(len(self._membership.live()))
        return True

    def leap_over(self, generation: int) -> None:
        """Goes on above all generations of an earlier life of the master that wrote down this one."""
        self.generation = self.commanded_generation = max(self.generation, generation + GENERATION_LEAP)

    def tell_all(self, run: Run | None) -> None:
        """Makes a new generation and tells everybody."""
        self.generation += 1
        self._is_waiting = False
        if run is not None:
            run.handover.note_generation(self.generation)
        self._runners = self._membership.runner_count()
        live = self._membership.live()
        for member in live:
            self.tell(member, run, pause_s=assignment_pause_s(len(live)))

    def tell(self, member: Member, run: Run | None, *, pause_s: float = 0.0) -> None:
        """Tells one member its assignment, at most once in `pause_s`."""

        def make() -> assignment_pb2.Assignment:
            return make_assignment(
                member,
                run=run,
                offer=self.offer,
                generation=self.generation,
                runners=self._runners,
                is_idle=self._sharing.is_idle(member),
            )

        self._mailboxes.put_assignment(member, make, pause_s=pause_s)
