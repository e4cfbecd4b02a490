"""Among whom the users of a run are dealt, and when that is done anew because workers came or went. Pure.

Many that come or go at once are one change: it is noted, and a new plan is made when one is due.
"""

from __future__ import annotations

from locust_master.lifecycle import RunTrigger
from locust_master.loss_notes import note_workers
from locust_master.losses import WorkerLossPolicy
from locust_master.membership import Member, Membership
from locust_master.newcomers import Newcomers
from locust_master.replan_wish import ReplanWish
from locust_master.run import Run


class Sharing:
    """Who has a share of the present run, who waits for one, and whether the plan is to be made anew."""

    def __init__(self, membership: Membership) -> None:
        self._membership = membership
        self._newcomers = Newcomers()
        self._wish = ReplanWish()

    def begin(self) -> None:
        """A run begins: nobody waits, and nothing is left of the run before."""
        self._newcomers.clear()
        self._wish = ReplanWish()

    def members(self, run: Run) -> list[Member]:
        """Members among whom the users are dealt: the live ones, and those whose share is kept for them."""
        if run.loss_terms.policy is not WorkerLossPolicy.KEEP:
            return self._newcomers.without(self._membership.live())
        return [
            member
            for member in self._newcomers.without(self._membership.all())
            if member.is_live or (not member.has_left and member.key in run.plan.by_worker)
        ]

    def let_wait(self, member: Member, *, generation: int, now_s: float) -> None:
        """A member came while a run goes on: no share for it before it has applied `generation`."""
        self._newcomers.add(member, generation=generation, now_s=now_s)

    def admit_newcomers(self, run: Run | None, *, now_ns: int, interval_s: float) -> None:
        """Wishes for a new plan when the time of members that wait has come, and no users are on the move."""
        if run is not None and run.handover.is_pending:
            return
        if self._newcomers.admit(self._membership.live(), now_ns=now_ns, interval_s=interval_s):
            self._wish.note(None)

    def note_change(self, idle: Member | None = None) -> None:
        """A new plan is wanted; `idle` is a member that runs nothing, whatever was planned."""
        self._wish.note(idle)

    def is_idle(self, member: Member) -> bool:
        """True while a member runs nothing, and the plan does not know it yet."""
        return self._wish.is_idle(member)

    def take_idle(self, now_ns: int) -> frozenset[str]:
        """A plan is made now, as is wanted; returns the keys of members that run nothing."""
        return self._wish.take(now_ns)

    def replan_if_due(self, run: Run | None, now_ns: int) -> bool:
        """Makes the plan of an active run anew if that is wanted and due; True when it was."""
        if not self._wish.is_due(now_ns, workers=len(self._membership.live())):
            return False
        idle = self._wish.take(now_ns)
        if run is not None and run.lifecycle.is_active:
            shared = self.members(run)
            run.replan(shared, at_us=run.now_us(now_ns), idle=idle)
            run.lifecycle.apply(RunTrigger.GOAL_MOVED)
            note_workers(run, now_ns, are_there=any(each.is_live and each.usable_runners for each in shared))
        return True

    def hand_over_if_heard(self, run: Run | None, now_ns: int) -> bool:
        """Lets go what the plan starts when all who lose users by it have said so; True when it does now."""
        if run is None or not run.handover.is_pending:
            return False
        if not run.lifecycle.is_active:
            run.handover.end()
            return False
        at_us = run.now_us(now_ns)
        live = self._membership.live()
        run.handover.expire(live, at_us=at_us, lease_ttl_s=self._membership.lease_ttl_s)
        if not run.handover.is_heard:
            return False
        run.go_on(self.members(run), at_us=at_us)
        return True
