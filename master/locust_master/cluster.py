"""The cluster: its members, the present run, and what each arrival, silence or wish means for both.

Plain calls on one event loop: nothing here waits, and every decision is made by a pure part (admission,
membership, plan, lifecycle, run watch). What must happen outside (listeners, store, screens) is returned or
told to a port.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace

from locust_master.admission import SessionTerms, admission, check_registration, session_settings
from locust_master.assignments import Offer, assignment_pause_s, make_assignment
from locust_master.lifecycle import RunState, RunTrigger
from locust_master.loss_notes import (
    note_end,
    note_last_report_missing,
    note_worker_lost,
    note_worker_there,
    note_workers,
)
from locust_master.losses import WorkerLossPolicy
from locust_master.mailbox import Mailbox
from locust_master.mailboxes import Mailboxes
from locust_master.membership import Member, Membership
from locust_master.newcomers import Newcomers
from locust_master.oversubscription import OversubscriptionWatch
from locust_master.planning.goal import Goal, goal_text
from locust_master.refusals import Refused
from locust_master.replan_wish import ReplanWish
from locust_master.report_pace import LATE_S, ReportPace
from locust_master.reports import ReportDesk, ReportSink
from locust_master.revision import Revision
from locust_master.run import Run
from locust_master.run_watch import Happening, happening_of, owing
from locust_protocol.v1 import (
    assignment_pb2,
    bundle_pb2,
    manifest_pb2,
    master_service_pb2,
    report_pb2,
    snapshot_pb2,
    value_pb2,
)

__all__ = ["Cluster", "Happening", "Refused", "ReportSink"]

logger = logging.getLogger(__name__)

GENERATION_LEAP = 1_000
"""Generations that an earlier life of the master may have made after it last wrote its store."""


class Cluster:
    """Members and the present run."""

    def __init__(self, *, lease_ttl_s: float, report_interval_s: float, sink: ReportSink) -> None:
        # Both grow over restarts of the master, too, as long as its wall clock does not go back.
        started_ms = time.time_ns() // 1_000_000
        self.membership = Membership(lease_ttl_s=lease_ttl_s, first_session_id=started_ms << 20)
        self.generation = started_ms
        self.run: Run | None = None
        self.revision = Revision()
        self._offer = Offer()
        self._terms = SessionTerms(
            master_epoch=time.time_ns(), lease_ttl_s=lease_ttl_s, report_interval_s=report_interval_s
        )
        self._sink = sink
        self._pace = ReportPace(shortest_s=report_interval_s, lease_ttl_s=lease_ttl_s)
        self._runners = 0
        self._newcomers = Newcomers()
        self._wish = ReplanWish()
        self._mailboxes = Mailboxes()
        self._reports = ReportDesk(self._mailboxes, sink)
        self._oversubscription = OversubscriptionWatch()

    @property
    def master_epoch(self) -> int:
        """Number of this life of the master, above those of its lives before."""
        return self._terms.master_epoch

    @property
    def manifest(self) -> manifest_pb2.Manifest:
        """What the locustfile offers; empty before it is loaded."""
        return self._offer.manifest

    @property
    def state(self) -> RunState:
        """State of the present run."""
        return RunState.READY if self.run is None else self.run.lifecycle.state

    # ── members ──────────────────────────────────────────────────────────────────────────────────────────

    def register(
        self, request: master_service_pb2.RegisterRequest, *, address: str, now_ns: int
    ) -> master_service_pb2.RegisterResponse:
        """Admits a worker. Raises `IncompatibleProtocol`, `UsageError`, `Refused` or `TooMany`."""
        protocol = check_registration(request, manifest=self.manifest)
        member, previous = self.membership.admit(request, address=address, now_s=now_ns / 1e9)
        is_other_process = previous is not None and previous.resume_token != member.resume_token
        self._mailboxes.open(member, superseded=is_other_process)
        if previous is not None and previous.uid != member.uid:
            self._give_up(previous, now_ns)
        is_new = previous is None or not previous.is_live
        if is_new:
            self._welcome(member, now_ns, returns=previous is not None)
        elif previous is not None and previous.is_awaited:
            logger.info("worker is back worker=%s address=%s", member.name, address)
            self._sink.worker_connected(member)
        if self._is_without_share(member):
            self.assign_all()
            self._newcomers.add(member, generation=self.generation, now_s=now_ns / 1e9)
        elif is_new or not self._runs_its_share(request):
            # Whatever it ran before, it runs nothing now: its users come at the spawn rate, as all others.
            self._send_assignment(member)
            self._members_changed(now_ns, idle=member)
        elif previous is not None and previous.runner_indices != member.runner_indices:
            self._members_changed(now_ns)
        else:
            self._send_assignment(member)
        member.suspect_after_s = self._pace.suspect_after_s
        notices = self._oversubscription.notices(member, self.membership.live())
        response = admission(member, self._terms, protocol=protocol, notices=notices, received_ns=now_ns)
        if self.run is not None and request.progress.run_id == self.run.record.run_id:
            ledger = self.run.ledger
            response.stats_known = member.uid in ledger.applied or request.progress.last_sequence == 0
            response.acknowledged_sequence = ledger.stored.get(member.uid, 0)
        self.revision.bump()
        return response

    def _welcome(self, member: Member, now_ns: int, *, returns: bool) -> None:
        self._event(snapshot_pb2.RUN_EVENT_KIND_WORKER_JOINED, f"worker {member.name} joined", now_ns)
        logger.info(
            "worker joined worker=%s runners=%d address=%s", member.name, member.runners, member.address
        )
        # Another process of the same name brings nothing of what was lost.
        if returns and self.run is not None and self.run.stopped_us is None:
            note_worker_there(self.run, member, now_ns)
        self._sink.worker_connected(member)

    def _give_up(self, other: Member, now_ns: int) -> None:
        """Another process took a worker's place: what that one has not reported will not come."""
        if (run := self.run) is not None and run.stopped_us is None and run.ledger.owes(other.uid):
            note_worker_lost(run, other, now_ns)
            run.totals.release(other.key)

    def _is_without_share(self, member: Member) -> bool:
        """True when a run goes on whose plan does not know the member."""
        run = self.run
        return run is not None and run.lifecycle.is_active and member.key not in run.plan.by_worker

    def _runs_its_share(self, request: master_service_pb2.RegisterRequest) -> bool:
        """False when a run wants users and the worker says that it ended them, or never had any."""
        if self.run is None or not self.run.lifecycle.is_active:
            return True
        progress = request.progress
        return progress.run_id == self.run.record.run_id and progress.phase == assignment_pb2.PHASE_RUN

    def goodbye(self, member: Member, reason: str, now_ns: int) -> None:
        """A worker leaves by itself: its share moves at once."""
        run = self.run
        if run is not None and run.stopped_us is None and run.ledger.owes(member.uid):
            note_last_report_missing(run, member, now_ns)
        if run is not None:
            run.totals.release(member.key)
        self.membership.leave(member, now_ns / 1e9)
        self._mailboxes.close(member)
        logger.info("worker left worker=%s reason=%s", member.name, reason)
        self._event(snapshot_pb2.RUN_EVENT_KIND_WORKER_LEFT, f"worker {member.name} left: {reason}", now_ns)
        self._members_changed(now_ns)

    def take_report(self, member: Member, report: report_pb2.Report, now_ns: int) -> None:
        """Counts a report once, or acknowledges it again, or asks for a snapshot."""
        interval_s = self._terms.report_interval_s
        has_changed = member.note_report(report, now_ns / 1e9, interval_s=interval_s)
        self._reports.take(self.run, member, report, now_ns)
        if has_changed and self.run is not None and self.run.lifecycle.is_active:
            logger.warning(
                "share follows the runners that are left worker=%s runners=%d",
                member.name,
                member.usable_runners,
            )
            self._members_changed(now_ns, idle=None if member.usable_runners else member)
        self.revision.bump()

    def stream_ended(self, member: Member, now_ns: int) -> None:
        """A stream of reports ended. That is no goodbye, but it says until when its samples can have come."""
        if member.is_live:
            member.stream_ended_s = now_ns / 1e9

    def mailbox(self, member: Member) -> Mailbox:
        """Returns what waits for a live member."""
        return self._mailboxes.of(member)

    def send_message(self, member: Member, message: value_pb2.CustomMessage) -> None:
        """Hands a message of user code to a member, if it is connected."""
        self._mailboxes.put_message(member, message)

    def close_all(self, last: master_service_pb2.CommandsResponse) -> None:
        """Ends every command stream with a last command."""
        self._mailboxes.close_all(last)

    def _members_changed(self, now_ns: int, *, idle: Member | None = None) -> None:
        """Plans anew, soon: many that come or go at once are one change. `idle` runs nothing, as it says."""
        if self.run is None or not self.run.lifecycle.is_active:
            self.assign_all()
            return
        self._wish.note(idle)
        self._replan_if_due(now_ns)

    def _replan_if_due(self, now_ns: int) -> None:
        if not self._wish.is_due(now_ns, workers=len(self.membership.live())):
            return
        run, idle = self.run, self._wish.take(now_ns)
        if run is not None and run.lifecycle.is_active:
            shared = self._with_share(run)
            run.replan(shared, at_us=run.now_us(now_ns), idle=idle)
            run.lifecycle.apply(RunTrigger.GOAL_MOVED)
            note_workers(run, now_ns, are_there=any(each.is_live and each.usable_runners for each in shared))
        self.assign_all()

    def _follow_pace(self) -> None:
        if (interval_s := self._pace.interval_s) != self._terms.report_interval_s:
            logger.info("workers report every %g s from now on", interval_s)
            self._terms = replace(self._terms, report_interval_s=interval_s)
            self.membership.set_suspect_after(self._pace.suspect_after_s)
            self._mailboxes.put_settings(session_settings(interval_s))

    def _with_share(self, run: Run) -> list[Member]:
        """Members among whom the users are dealt: the live ones, and those whose share is kept for them."""
        if run.loss_terms.policy is not WorkerLossPolicy.KEEP:
            return self._newcomers.without(self.membership.live())
        return [
            member
            for member in self._newcomers.without(self.membership.all())
            if member.is_live or (not member.has_left and member.key in run.plan.by_worker)
        ]

    # ── assignments ──────────────────────────────────────────────────────────────────────────────────────

    def offer(
        self,
        manifest: manifest_pb2.Manifest,
        bundle: bundle_pb2.BundleReference,
        settings: assignment_pb2.RunSettings,
    ) -> None:
        """Lets workers fetch and load a bundle, so that a start is quick."""
        self._offer = Offer(manifest, bundle, settings)
        self.assign_all()

    def assign_all(self) -> None:
        """Makes a new generation and sends everybody its assignment."""
        self.generation += 1
        self._runners = self.membership.runner_count()
        live = self.membership.live()
        self._pace.note_workers(len(live))
        self._follow_pace()
        for member in live:
            self._send_assignment(member, pause_s=assignment_pause_s(len(live)))
        self.revision.bump()

    def _send_assignment(self, member: Member, *, pause_s: float = 0.0) -> None:
        def make() -> assignment_pb2.Assignment:
            return make_assignment(
                member,
                run=self.run,
                offer=self._offer,
                generation=self.generation,
                runners=self._runners,
                is_idle=self._wish.is_idle(member),
            )

        self._mailboxes.put_assignment(member, make, pause_s=pause_s)

    # ── the run ──────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, run: Run) -> None:
        """Makes `run` the present one and starts it."""
        self.run = run
        run.lifecycle.apply(RunTrigger.START)
        for member in self.membership.live():
            member.revive()
        self._newcomers.clear()
        self._wish = ReplanWish()
        run.replan(self.membership.live(), at_us=0)
        self.assign_all()

    def resume(
        self,
        run: Run,
        members: Sequence[Member],
        *,
        dead: Sequence[Member],
        generation: int,
        session_id: int,
        now_ns: int,
    ) -> None:
        """Goes on with a run of an earlier life of the master, and with its members.

        `dead` are those of them that ended with it. `generation` and `session_id` are the newest that it had.
        """
        self.run = run
        self.generation = max(self.generation, generation + GENERATION_LEAP)
        self.membership.restore(members, newest_session_id=session_id)
        for member in dead:
            # No share is kept for who can never come back.
            member.is_live, member.has_left, member.gone_s = False, True, now_ns / 1e9
            self._lose(member, now_ns)
        self._replan_if_due(now_ns)
        self.assign_all()

    def set_goal(self, goal: Goal, now_ns: int) -> None:
        """Moves the goal of the run that goes on."""
        run = self._present_run()
        run.lifecycle.apply(RunTrigger.GOAL_MOVED)
        run.replan(self._with_share(run), at_us=run.now_us(now_ns), goal=goal, idle=self._wish.take(now_ns))
        self.assign_all()

    def drain(self, now_ns: int, *, stop_timeout_ms: int) -> None:
        """Ends the users of the run."""
        run = self._present_run()
        run.lifecycle.apply(RunTrigger.STOP)
        run.stop_timeout_ms = stop_timeout_ms
        run.stop_requested_us = run.now_us(now_ns)
        self.assign_all()

    def end(self, now_ns: int) -> None:
        """The run is over; its numbers stay. A last report that did not come is a loss."""
        run = self._present_run()
        for member in owing(run, self.membership.live()):
            note_last_report_missing(run, member, now_ns)
        note_end(run, now_ns)
        run.stopped_us = run.now_us(now_ns)
        run.lifecycle.apply(RunTrigger.DRAINED)
        self.assign_all()

    def reset_statistics(self) -> None:
        """Starts a new epoch."""
        run = self._present_run()
        run.stats_epoch += 1
        run.totals.begin_epoch(run.stats_epoch)
        self.assign_all()

    def _present_run(self) -> Run:
        assert self.run is not None, "the caller checked that there is a run"
        return self.run

    # ── time ─────────────────────────────────────────────────────────────────────────────────────────────

    def loop_was_late(self, late_s: float, now_ns: int) -> None:
        """The loop woke late: nobody was silent while it did not read, and reports may be too many."""
        if late_s > LATE_S:
            self.membership.forgive(late_s, now_ns / 1e9)
        if self._pace.note_lateness(late_s, now_ns / 1e9):
            logger.warning("the master does not keep up, figures come late: give it a core of its own")
        self._follow_pace()

    def tick(self, now_ns: int) -> Sequence[Happening]:
        """Gives up silent workers and tells what the passing of time brought."""
        for member in self.membership.expire(now_ns / 1e9):
            self._lose(member, now_ns)
        if self._newcomers.admit(self.membership.live(), now_ns=now_ns, interval_s=self._pace.interval_s):
            self._wish.note(None)
        self._replan_if_due(now_ns)
        if self.run is None:
            return ()
        at_us = self.run.now_us(now_ns)
        if self.run.lifecycle.is_active and self.run.advance(at_us):
            goal = self.run.goal
            if self.run.planned_users(at_us) != goal.users:
                self.run.lifecycle.apply(RunTrigger.GOAL_MOVED)
            self._event(snapshot_pb2.RUN_EVENT_KIND_STAGE, goal_text(goal), now_ns)
            self.assign_all()  # the plan is the same, the pace for users that come back is another
        happening = happening_of(
            self.run, self.membership.live(), generation=self.generation, at_us=self.run.now_us(now_ns)
        )
        if happening is Happening.GOAL_REACHED:
            self.run.lifecycle.apply(RunTrigger.GOAL_REACHED)
            self.revision.bump()
        return () if happening is None else (happening,)

    def _lose(self, member: Member, now_ns: int) -> None:
        silent_ms = int(now_ns / 1e6 - member.heard_s * 1e3)
        self._mailboxes.close(member)
        logger.warning("worker lost worker=%s silent_ms=%d", member.name, silent_ms)
        keeps = self.run is not None and self.run.loss_terms.policy is WorkerLossPolicy.KEEP
        what = "is kept for it" if keeps else "moves"
        text = f"worker {member.name} lost after {silent_ms / 1000:.0f} s of silence; its share {what}"
        self._event(snapshot_pb2.RUN_EVENT_KIND_WORKER_LOST, text, now_ns)
        if self.run is not None and self.run.stopped_us is None:
            note_worker_lost(self.run, member, now_ns)
            self.run.totals.release(member.key)
        self._wish.note(None)

    def _event(self, kind: snapshot_pb2.RunEventKind.ValueType, text: str, now_ns: int) -> None:
        if self.run is not None and self.run.stopped_us is None:
            self.run.events.add(kind, text, at_ms=self.run.now_us(now_ns) // 1_000)
