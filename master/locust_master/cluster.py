"""The cluster: its members, the present run, and what each arrival, silence or wish means for both.

Plain calls on one event loop: nothing here waits, and every decision is made by a part (admission, arrival,
sharing, membership, plan, lifecycle, run watch). What must happen outside (listeners, store, screens) is
returned or told to a port.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from locust_master.admission import admission, check_registration
from locust_master.arrival import Arrival, arrival_of, is_new, is_other_process, tell_what_counts
from locust_master.assignment_desk import AssignmentDesk
from locust_master.assignments import Offer
from locust_master.lifecycle import RunState, RunTrigger
from locust_master.loss_notes import (
    note_end,
    note_last_report_missing,
    note_worker_lost,
    note_worker_there,
    owes_reports,
)
from locust_master.losses import WorkerLossPolicy
from locust_master.mailbox import Mailbox
from locust_master.mailboxes import Mailboxes
from locust_master.membership import Member, Membership
from locust_master.merging.ahead import SlicePart
from locust_master.oversubscription import OversubscriptionWatch
from locust_master.planning.goal import Goal, goal_text
from locust_master.refusals import Refused
from locust_master.report_pace import LATE_S
from locust_master.reports import ReportDesk, ReportSink
from locust_master.revision import Revision
from locust_master.run import Run
from locust_master.run_watch import Happening, happening_of, owing
from locust_master.session_terms import PacedTerms
from locust_master.sharing import Sharing
from locust_master.worker_rows import WorkerRows
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


class Cluster:
    """Members and the present run."""

    def __init__(self, *, lease_ttl_s: float, report_interval_s: float, sink: ReportSink) -> None:
        # Both grow over restarts of the master, too, as long as its wall clock does not go back.
        started_ms = time.time_ns() // 1_000_000
        self.membership = Membership(lease_ttl_s=lease_ttl_s, first_session_id=started_ms << 20)
        self.run: Run | None = None
        self.revision = Revision()
        self.worker_rows = WorkerRows()
        self.viewing = asyncio.Lock()
        """Held by whoever makes a snapshot in parts: each looks at rows that stay as they are."""
        self._sink = sink
        self._mailboxes = Mailboxes()
        self._terms = PacedTerms(
            self.membership, self._mailboxes, lease_ttl_s=lease_ttl_s, report_interval_s=report_interval_s
        )
        self._sharing = Sharing(self.membership)
        self._assignments = AssignmentDesk(
            self.membership, self._mailboxes, self._sharing, first_generation=started_ms
        )
        self._reports = ReportDesk(self._mailboxes, sink)
        self._oversubscription = OversubscriptionWatch()

    @property
    def master_epoch(self) -> int:
        """Number of this life of the master, above those of its lives before."""
        return self._terms.now.master_epoch

    @property
    def manifest(self) -> manifest_pb2.Manifest:
        """What the locustfile offers; empty before it is loaded."""
        return self._assignments.offer.manifest

    @property
    def generation(self) -> int:
        """Number of the newest assignments."""
        return self._assignments.generation

    @property
    def commanded_generation(self) -> int:
        """Number of the newest assignments that somebody's wish led to; workers that come or go are none."""
        return self._assignments.commanded_generation

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
        self._mailboxes.open(member, superseded=is_other_process(member, previous))
        is_same = previous is not None and previous.uid == member.uid
        if previous is not None and previous.is_live and not is_same:
            self._give_up(previous, now_ns)
        if is_new(previous):
            self._welcome(member, now_ns, returns=is_same)
        elif previous is not None and previous.is_awaited:
            logger.info("worker is back worker=%s address=%s", member.name, address)
            self._sink.worker_connected(member)
        match arrival_of(member, previous=previous, run=self.run, request=request):
            case Arrival.WITHOUT_SHARE:
                self._assignments.tell(member, self.run)
                self._tell_all_soon(now_ns)
                self._sharing.let_wait(member, generation=self.generation, now_s=now_ns / 1e9)
            case Arrival.IDLE:
                # Whatever it ran before, it runs nothing now: its users come at the spawn rate, as all do.
                self._assignments.tell(member, self.run)
                self._members_changed(now_ns, idle=member)
            case Arrival.OTHER_RUNNERS:
                self._members_changed(now_ns)
            case Arrival.UNCHANGED:
                self._assignments.tell(member, self.run)
        member.suspect_after_s = self._terms.suspect_after_s
        notices = self._oversubscription.notices(member, self.membership.live())
        response = admission(member, self._terms.now, protocol=protocol, notices=notices, received_ns=now_ns)
        tell_what_counts(response, member, run=self.run, request=request)
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
        if (run := self.run) is not None and owes_reports(run, other, now_ns):
            note_worker_lost(run, other, lease_ttl_s=self.membership.lease_ttl_s)
            run.totals.release(other.key)

    def goodbye(self, member: Member, reason: str, now_ns: int) -> None:
        """A worker leaves by itself: its share moves at once."""
        run = self.run
        if run is not None and owes_reports(run, member, now_ns):
            note_last_report_missing(run, member, now_ns)
        if run is not None:
            run.totals.release(member.key)
        self.membership.leave(member, now_ns / 1e9)
        self._mailboxes.close(member)
        logger.info("worker left worker=%s reason=%s", member.name, reason)
        self._event(snapshot_pb2.RUN_EVENT_KIND_WORKER_LEFT, f"worker {member.name} left: {reason}", now_ns)
        self._members_changed(now_ns)

    def take_report(
        self, member: Member, report: report_pb2.Report, now_ns: int, *, ahead: SlicePart | None = None
    ) -> None:
        """Counts a report once, or acknowledges it again, or asks for a snapshot; `ahead` are its slices."""
        interval_s = self._terms.now.report_interval_s
        has_changed = member.note_report(report, now_ns / 1e9, interval_s=interval_s)
        if self.run is not None and self.run.handover.is_pending:
            self.run.handover.note_heard(member)
            if self.run.handover.is_heard:
                self._replan_if_due(now_ns)
        self._reports.take(self.run, member, report, now_ns, ahead=ahead)
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
            self._tell_all_soon(now_ns)
            return
        self._sharing.note_change(idle)
        self._replan_if_due(now_ns)

    def _replan_if_due(self, now_ns: int) -> None:
        if self._sharing.hand_over_if_heard(self.run, now_ns):
            self.assign_all()
        if self._sharing.replan_if_due(self.run, now_ns):
            self.assign_all()

    # ── assignments ──────────────────────────────────────────────────────────────────────────────────────

    def offer(
        self,
        manifest: manifest_pb2.Manifest,
        bundle: bundle_pb2.BundleReference,
        settings: assignment_pb2.RunSettings,
    ) -> None:
        """Lets workers fetch and load a bundle, so that a start is quick."""
        self._assignments.offer = Offer(manifest, bundle, settings)
        self._assign_as_wished()

    def assign_all(self) -> None:
        """Makes a new generation and sends everybody its assignment."""
        self._terms.note_workers(len(self.membership.live()))
        self._assignments.tell_all(self.run)
        self.revision.bump()

    def _assign_as_wished(self) -> None:
        self.assign_all()
        self._assignments.commanded_generation = self.generation

    def _tell_all_soon(self, now_ns: int) -> None:
        """Tells everybody how many there are: at once, or now and then when there are many."""
        self._terms.note_workers(len(self.membership.live()))
        if self._assignments.is_due(now_ns / 1e9):
            self.assign_all()

    # ── the run ──────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, run: Run) -> None:
        """Makes `run` the present one and starts it."""
        self.run = run
        run.lifecycle.apply(RunTrigger.START)
        for member in self.membership.live():
            member.revive()
        self._sharing.begin()
        run.replan(self.membership.live(), at_us=0)
        self._assign_as_wished()

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
        self._assignments.leap_over(generation)
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
        shared, idle = self._sharing.members(run), self._sharing.take_idle(now_ns)
        run.replan(shared, at_us=run.now_us(now_ns), goal=goal, idle=idle)
        self._assign_as_wished()

    def drain(self, now_ns: int, *, stop_timeout_ms: int) -> None:
        """Ends the users of the run."""
        run = self._present_run()
        run.lifecycle.apply(RunTrigger.STOP)
        run.stop_timeout_ms = stop_timeout_ms
        run.stop_requested_us = run.now_us(now_ns)
        self._assign_as_wished()

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
        self._assign_as_wished()

    def _present_run(self) -> Run:
        assert self.run is not None, "the caller checked that there is a run"
        return self.run

    # ── time ─────────────────────────────────────────────────────────────────────────────────────────────

    def loop_was_late(self, late_s: float, now_ns: int) -> None:
        """The loop woke late: nobody was silent while it did not read, and reports may be too many."""
        if late_s > LATE_S:
            self.membership.forgive(late_s, now_ns / 1e9)
        self._terms.note_lateness(late_s, now_ns / 1e9)

    def tick(self, now_ns: int) -> Sequence[Happening]:
        """Gives up silent workers and tells what the passing of time brought."""
        for member in self.membership.expire(now_ns / 1e9):
            self._lose(member, now_ns)
        self._sharing.admit_newcomers(self.run, now_ns=now_ns, interval_s=self._terms.now.report_interval_s)
        self._replan_if_due(now_ns)
        if self._assignments.is_overdue(now_ns / 1e9):
            self.assign_all()
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
            note_worker_lost(self.run, member, lease_ttl_s=self.membership.lease_ttl_s)
            self.run.totals.release(member.key)
        self._sharing.note_change()

    def _event(self, kind: snapshot_pb2.RunEventKind.ValueType, text: str, now_ns: int) -> None:
        if self.run is not None and self.run.stopped_us is None:
            self.run.events.add(kind, text, at_ms=self.run.now_us(now_ns) // 1_000)
