"""Makes the runners do what the worker's duty is, and tells how far they are.

Level-triggered: whatever happens (an assignment, a runner loaded or lost, a lease over), `sync` compares what
each runner was told with what it should be told, and sends the difference. Waits for nothing.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable

from locust_protocol.limits import INTERRUPT_GRACE_S
from locust_protocol.runner.v1 import link_pb2
from locust_protocol.v1 import assignment_pb2, report_pb2, value_pb2
from locust_worker import host_facts, open_files
from locust_worker.clock import ClockEstimate
from locust_worker.comeback import own_rate
from locust_worker.duty import Duty
from locust_worker.own_locustfile import describe_load_failure
from locust_worker.pool import PING_INTERVAL_S, Code, Runner, RunnerPool, Slot
from locust_worker.reporting import Reporting
from locust_worker.runner_state import CRASH_WINDOW_S, MAX_CRASHES, RunnerPhase
from locust_worker.shares import Seat, Shares, UnusableGoal, make_target, read_goals
from locust_worker.split import Deal

logger = logging.getLogger(__name__)

DRAIN_GRACE_S = 5.0
"""Seconds beyond the stop timeout after which a runner that has not ended its users is ended itself."""


class Crew:
    """The runners at work."""

    def __init__(
        self,
        *,
        pool: RunnerPool,
        reporting: Reporting,
        own_code: Code | None,
        fetch: Callable[[bytes], None],
        kill_stalled_after_s: float | None = None,
    ) -> None:
        """`fetch` is asked for a bundle, again and again until `code_arrived` or `code_failed`."""
        self.duty = Duty()
        self.pool = pool
        self._reporting = reporting
        self._code = own_code
        self._has_own_code = own_code is not None
        self._fetch = fetch
        self._kill_stalled_after_s = kill_stalled_after_s
        self._shares = Shares(len(pool.slots))
        self._deal: Deal = []
        self._said_shortage = ""
        self._last_end = ""

    @property
    def plan(self) -> Deal:
        """What each runner should run, users that are on their way back included."""
        return self._shares.plan

    def gone_users(self) -> dict[str, int]:
        """Users by class that ended by themselves on runners that are no more: they count as placed."""
        runs = self.duty.phase == assignment_pb2.PHASE_RUN
        return self._shares.gone_users(self.duty.run_now_us(time.monotonic_ns())) if runs else {}

    # ── what should be ───────────────────────────────────────────────────────────────────────────────────

    def assign(self, assignment: assignment_pb2.Assignment, estimate: ClockEstimate) -> None:
        """Takes an assignment, new or told again."""
        is_other_run = assignment.run_id != self.duty.assignment.run_id
        if not self.duty.accept(assignment, estimate):
            return
        self._reporting.begin_run(assignment.run_id, max_names=assignment.settings.max_names)
        if is_other_run:
            self.pool.revive()
        self.sync()

    def fence(self, reason: str) -> None:
        """Users end without an order of the master's; statistics are kept."""
        if self.duty.phase == assignment_pb2.PHASE_RUN:
            text = f"{reason}; users were ended"
            self._event(report_pb2.WORKER_EVENT_KIND_FENCED, text)
            logger.warning("%s", text)
        self.duty.is_fenced = True
        self.sync()

    def stood_still(self, seconds: float) -> None:
        """This process, or its machine, stood still and went on."""
        text = f"the worker stood still for {seconds:.1f} s (it was stopped, or its machine was paused)"
        logger.warning("%s", text)
        self._event(report_pb2.WORKER_EVENT_KIND_SUSPENDED, text)
        for slot in self.pool.slots:
            slot.life.excuse(time.monotonic(), unheard_s=seconds, grace_s=PING_INTERVAL_S)

    def leave(self) -> None:
        """The worker is to end: users end for good."""
        self.duty.is_leaving = True
        self.sync()

    def code_arrived(self, code: Code) -> None:
        """A bundle is on this machine."""
        if code.digest == self.duty.assignment.bundle.digest:
            self._code = code
            self.sync()

    def code_failed(self, digest: bytes, reason: str) -> None:
        """A bundle cannot be used."""
        if digest == self.duty.assignment.bundle.digest:
            logger.error("%s", reason)
            self.duty.refuse(reason)

    def time_passed(self, now_s: float) -> None:
        """Looks at clocks: deadlines, silence, restarts."""
        self.pool.time_passed(now_s)
        for slot in self.pool.slots:
            if slot.runner is not None:
                self._look_for_sign_of_life(slot, slot.runner, now_s)
        for runner in self.pool.working():
            if runner.drain_until_s is not None and now_s >= runner.drain_until_s:
                runner.drain_until_s = None
                logger.error("runner does not end its users and is ended slot=%d", runner.slot)
                self.pool.end(runner)
        if self.duty.time_passed(time.monotonic_ns()):
            self.sync()

    def _look_for_sign_of_life(self, slot: Slot, runner: Runner, now_s: float) -> None:
        if runner.is_asked_where:
            code = self.pool.code
            slot.life.blocked_at = runner.take_where(code.directory if code is not None else "")
            self._say_stalled(runner, slot.life.blocked_at)
        elif slot.life.time_passed(now_s):
            runner.ask_where()
        limit_s = self._kill_stalled_after_s
        if limit_s and runner.process is not None and slot.life.stalled_for_s(now_s) >= limit_s:
            logger.error("runner is blocked for %g s and is killed slot=%d", limit_s, runner.slot)
            runner.process.kill()

    # ── what is ──────────────────────────────────────────────────────────────────────────────────────────

    def take_frame(self, runner: Runner, frame: link_pb2.FromRunner) -> None:
        """A runner sent something; one that was replaced may still report."""
        kind = frame.WhichOneof("frame")
        if kind == "report":
            self._take_report(runner, frame.report)
        elif kind == "quit_requested":
            self._event(
                report_pb2.WORKER_EVENT_KIND_QUIT_REQUESTED, frame.quit_requested.reason, slot=runner.slot
            )
        elif runner.is_replaced:
            return
        elif kind == "loaded":
            self._take_loaded(runner, frame.loaded)
        elif kind == "load_failed":
            runner.load_failure = self._load_failure(frame.load_failed)
            logger.error("locustfile not loaded slot=%d: %s", runner.slot, runner.load_failure)
            # The next code may be on its way: what is wrong with this one says nothing about it.
            if self._has_assigned_code():
                self.duty.refuse(runner.load_failure)
        elif kind == "pong":
            self._take_pong(runner, frame.pong)
        elif kind == "target_applied":
            runner.applied_generation = max(runner.applied_generation, frame.target_applied.generation)
            self.sync()

    def take_exit(self, runner: Runner, how: str, exited_ns: int) -> None:
        """A runner's process has ended, and all that it sent was seen."""
        was_running = bool(runner.owes_final_of)
        was_at_work = was_running and runner.drained_run_id != runner.owes_final_of
        runner.owes_final_of = b""
        lost_ms = max(0, exited_ns - runner.complete_ns) // 1_000_000 + 1 if was_running else 0
        slot = self.pool.slots[runner.slot]
        if slot.runner is not runner:
            if was_running:
                self._say_died(runner, how, lost_ms)
            return
        slot.runner = None
        if was_at_work:
            self._shares.note_gone(runner.health.ended)
        slot.life.exited(time.monotonic(), may_restart=not runner.load_failure)
        if not runner.load_failure:
            is_left = slot.life.is_given_up
            left = f", {MAX_CRASHES} times within {CRASH_WINDOW_S:g} s, and is left dead" if is_left else ""
            self._say_died(runner, how + left, lost_ms)
        self._last_end = runner.load_failure or f"no runner is left: the last one {how}"
        self.sync()

    def deliver(self, message: value_pb2.CustomMessage) -> None:
        """Hands a custom message to the runner that it is for, or to all."""
        for runner in self.pool.working():
            if not message.HasField("to_runner") or message.to_runner == runner.index:
                runner.send(custom_message=message)

    # ── bringing the two together ────────────────────────────────────────────────────────────────────────

    def sync(self) -> None:
        """Tells each runner what it has not been told yet, and notes when all have done it."""
        assignment = self.duty.assignment
        if not self._has_own_code and not assignment.bundle.digest:
            self._tell()
            self.duty.observe()
            return
        if not self._has_assigned_code():
            self._fetch(assignment.bundle.digest)
            return
        assert self._code is not None, "own code, or what was fetched"
        may_reindex = self.duty.phase != assignment_pb2.PHASE_RUN
        self.pool.load(self._code, assignment.settings, may_reindex=may_reindex)
        if all(slot.life.is_given_up for slot in self.pool.slots):
            self.duty.refuse(self._last_end)
        elif self._deal_users():
            self._tell()
        if self._is_applied():
            self.duty.observe()

    def _has_assigned_code(self) -> bool:
        bundle = self.duty.assignment.bundle
        return self._has_own_code or (self._code is not None and self._code.digest == bundle.digest)

    def _deal_users(self) -> bool:
        """Deals the goals; False when they cannot be pursued here."""
        duty = self.duty
        if duty.phase != assignment_pb2.PHASE_RUN:
            return True
        known = next((runner.user_classes for runner in self.pool.working() if runner.is_loaded), frozenset())
        try:
            schedules = read_goals(duty.assignment.goals, known_classes=known)
        except UnusableGoal as error:
            logger.error("%s", error)
            duty.refuse(str(error))
            return False
        was_planned = self._shares.plan
        self._deal = self._shares.deal(
            schedules,
            run_id=duty.assignment.run_id,
            seats=[self._seat(slot) for slot in self.pool.slots],
            spawn_rate=own_rate(
                duty.assignment.spawn_rate,
                own_runners=len(self.pool.slots),
                all_runners=duty.assignment.cluster.runners,
            ),
            now_us=duty.run_now_us(time.monotonic_ns()),
        )
        if self._shares.plan is not was_planned:
            self._say_shortage(open_files.shortage(self._shares.plan, host_facts.runner_descriptors()))
        return True

    def _say_shortage(self, sentence: str) -> None:
        if sentence and sentence != self._said_shortage:
            logger.warning("%s", sentence)
            self._event(report_pb2.WORKER_EVENT_KIND_LIMIT_TOO_LOW, sentence)
        self._said_shortage = sentence

    def _seat(self, slot: Slot) -> Seat:
        runner = slot.runner
        can_run = runner is not None and runner.is_loaded
        if runner is None or not can_run or runner.drained_run_id == self.duty.assignment.run_id:
            return Seat(has_share=not slot.life.is_given_up)
        return Seat(life=runner.life)

    def _tell(self) -> None:
        assignment = self.duty.assignment
        runs = self.duty.phase == assignment_pb2.PHASE_RUN
        for runner in self.pool.working():
            if not runner.is_loaded:
                continue
            if runs and runner.drained_run_id == assignment.run_id:
                if not runner.owes_final_of:  # else users of it still finish what they do
                    self.pool.renew(runner.slot)
                continue
            share = self._deal[runner.slot] if runs else ()
            target = make_target(self.duty, share, assignment.settings)
            if target == runner.target:
                continue
            runner.target = target
            runner.send(target=target)
            if runs:
                if runner.owes_final_of != assignment.run_id:
                    runner.complete_ns = time.monotonic_ns()  # it had no users until now
                runner.owes_final_of = assignment.run_id
            elif runner.owes_final_of and runner.drain_until_s is None:
                runner.drained_run_id = runner.owes_final_of
                stop_timeout_s = assignment.settings.stop_timeout_ms / 1000
                runner.drain_until_s = time.monotonic() + stop_timeout_s + INTERRUPT_GRACE_S + DRAIN_GRACE_S

    def _is_applied(self) -> bool:
        may_load = self.duty.phase == assignment_pb2.PHASE_IDLE
        waited = [slot for slot in self.pool.slots if not slot.life.is_given_up]
        for slot in waited:
            if slot.runner is None or not slot.runner.is_loaded:
                if not may_load:
                    return False
            elif slot.runner.applied_generation < self.duty.assignment.generation:
                return False
        return bool(waited)

    # ── details of what runners send ─────────────────────────────────────────────────────────────────────

    def _take_report(self, runner: Runner, report: report_pb2.Report) -> None:
        runner.complete_ns = max(runner.complete_ns, report.sent_ns)
        runner.health.take(report.status)
        try:
            self._reporting.take(runner, report)
        except ValueError as error:
            logger.error("runner sent a malformed report and is ended slot=%d: %s", runner.slot, error)
            self.pool.end(runner)
            return
        if report.sequence:
            accepted = link_pb2.ReportAccepted(run_id=report.run_id, sequence=report.sequence)
            runner.send(report_accepted=accepted)
        if report.final and report.run_id == runner.owes_final_of:
            runner.drained_run_id, runner.owes_final_of = report.run_id, b""
            runner.drain_until_s = None
            is_wanted = self.duty.may_be_taken_up_again or self.duty.phase == assignment_pb2.PHASE_RUN
            if is_wanted and not runner.is_replaced:
                self.pool.renew(runner.slot)  # loaded by then, its users come back at their due times
        generation = self.duty.assignment.generation
        if report.status.refused_generation == generation != self.duty.refused_generation:
            self.duty.refuse(report.status.refusal)

    def _take_loaded(self, runner: Runner, loaded: link_pb2.Loaded) -> None:
        runner.loaded = loaded
        runner.user_classes = frozenset(each.name for each in loaded.manifest.user_classes)
        slot = self.pool.slots[runner.slot]
        slot.life.loaded(time.monotonic())
        if runner.is_restart:
            logger.info("runner started again slot=%d pid=%d", runner.slot, loaded.pid)
            self._event(
                report_pb2.WORKER_EVENT_KIND_RUNNER_RESTARTED,
                f"runner {runner.slot} was started again",
                slot=runner.slot,
            )
        self.sync()

    def _take_pong(self, runner: Runner, pong: link_pb2.Pong) -> None:
        life = self.pool.slots[runner.slot].life
        if not life.ponged(time.monotonic(), blocked_us=pong.blocked_us, blocked_at=pong.blocked_at):
            return
        if life.phase is RunnerPhase.STALLED:
            self._say_stalled(runner, pong.blocked_at)
        else:
            logger.info("runner answers again slot=%d", runner.slot)
            self._event(
                report_pb2.WORKER_EVENT_KIND_RUNNER_RECOVERED,
                f"runner {runner.slot} answers again",
                slot=runner.slot,
            )

    def _load_failure(self, failed: link_pb2.LoadFailed) -> str:
        text = describe_load_failure(failed)
        return f"{text} on host {socket.gethostname()}" if "No module named" in text else text

    def _say_stalled(self, runner: Runner, blocked_at: str) -> None:
        where = f" in {blocked_at}" if blocked_at else ""
        logger.warning("runner is blocked by user code slot=%d%s", runner.slot, where)
        self._event(
            report_pb2.WORKER_EVENT_KIND_RUNNER_STALLED,
            f"runner {runner.slot} is blocked by user code{where}",
            slot=runner.slot,
        )

    def _say_died(self, runner: Runner, how: str, lost_ms: int) -> None:
        logger.error("runner died slot=%d: it %s maybe_lost_ms=%d", runner.slot, how, lost_ms)
        self._event(
            report_pb2.WORKER_EVENT_KIND_RUNNER_DIED,
            f"runner {runner.slot} {how}",
            slot=runner.slot,
            maybe_lost_ms=lost_ms,
        )

    def _event(
        self,
        kind: report_pb2.WorkerEventKind.ValueType,
        text: str,
        *,
        slot: int | None = None,
        maybe_lost_ms: int = 0,
    ) -> None:
        at_ms = self.duty.event_ms(time.monotonic_ns())
        event = report_pb2.WorkerEvent(
            at_ms=at_ms, kind=kind, text=text, slot=slot, maybe_lost_ms=maybe_lost_ms
        )
        self._reporting.extras.put("events", event)
