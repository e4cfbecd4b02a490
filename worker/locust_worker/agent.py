"""The agent: one loop to which everything that happens comes as an event, and which alone changes anything.

Sessions, statistics and runners are parts with rules of their own; here their news is handed on between them,
and the end is brought about in order: users end, last reports are acknowledged, goodbye, runners end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from locust_protocol import versions
from locust_protocol.limits import REPORT_INTERVAL_S
from locust_protocol.v1 import manifest_pb2, master_service_pb2, report_pb2
from locust_worker import session, standstill
from locust_worker.bundle_cache import BundleCache
from locust_worker.clock import ClockOffset
from locust_worker.connection import CommandArrived, Connection, ConnectionEvent, RegisterAnswered
from locust_worker.crew import Crew
from locust_worker.fetches import CodeArrived, CodeFailed, Fetches
from locust_worker.health import Health
from locust_worker.master_link import MasterLink
from locust_worker.pool import Code, PoolEvent, RunnerExited, RunnerFrame, RunnerPool
from locust_worker.reporting import Reporting

logger = logging.getLogger(__name__)

DELIVERY_TIMEOUT_S = 5.0
"""Seconds that the last reports get to be acknowledged when the worker leaves."""

MAX_SAID_NOTICES = 64
"""Sentences of masters that are remembered, so that none is said twice; then it begins anew."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this agent is, for the master; `request` holds what does not change."""

    request: master_service_pb2.RegisterRequest
    own_code: Code | None = None
    own_manifest: manifest_pb2.Manifest | None = None


AgentEvent = ConnectionEvent | PoolEvent | CodeArrived | CodeFailed


class Agent:
    """One agent, from start to end."""

    def __init__(
        self,
        identity: Identity,
        *,
        link: MasterLink,
        settings: session.SessionSettings,
        cache: BundleCache,
        tasks: asyncio.TaskGroup,
        kill_stalled_after_s: float | None = None,
    ) -> None:
        self._identity = identity
        self._inbox: asyncio.Queue[AgentEvent] = asyncio.Queue()
        self._tasks = tasks
        self.reporting = Reporting()
        self._clock = ClockOffset()
        self._connection = Connection(
            link, settings, make_request=self._make_request, post=self.post, tasks=tasks
        )
        self.pool = RunnerPool(identity.request.runners, post=self.post, tasks=tasks)
        self._crew = Crew(
            pool=self.pool,
            reporting=self.reporting,
            own_code=identity.own_code,
            fetch=self._fetch,
            kill_stalled_after_s=kill_stalled_after_s,
        )
        self.health = Health(self._crew, self.reporting)
        self._fetches = Fetches(cache, link)
        self._pace = _Pace()
        self._looks = _Looks()
        self._end: session.End | None = None

    def post(self, event: AgentEvent) -> None:
        """Hands in an event; the loop takes them in order."""
        self._inbox.put_nowait(event)

    async def run(self) -> session.End:
        """Works until the session ends, and returns how. The connection and runners are still there then."""
        self._react(session.Started())
        while self._end is None:
            event = await self._inbox.get()
            self._judge_time(self._looks.look())
            self._handle(event)
            self._look_after_users()
            self._answer_at_once()
        return self._end

    async def say_goodbye(self, reason: str) -> None:
        """Tells the master that this worker goes."""
        await self._connection.goodbye(reason)

    # ── events ───────────────────────────────────────────────────────────────────────────────────────────

    def _judge_time(self, gap: standstill.Gap) -> None:
        """Comes before every event: who stood still may have no lease any more, whatever the event says."""
        if gap.unseen_s:
            self._react(session.Suspended(gap.unseen_s))
        if gap.still_s:
            self._crew.stood_still(gap.still_s)
        if session.is_lease_over(self._connection.state, time.monotonic()):
            self._react(session.TimePassed())

    def _handle(self, event: AgentEvent) -> None:
        match event:
            case RunnerFrame(runner, frame):
                self._crew.take_frame(runner, frame)
            case RunnerExited(runner, how, exited_ns):
                self._crew.take_exit(runner, how, exited_ns)
            case CommandArrived():
                if event.session_id == self._connection.state.session_id:
                    self._take_command(event)
            case RegisterAnswered():
                self._take_admission(event)
            case CodeArrived(code):
                self._fetches.done(code.digest)
                self._crew.code_arrived(code)
            case CodeFailed(digest, reason, is_final):
                self._fetches.done(digest)
                if is_final:
                    self._crew.code_failed(digest, reason)
                else:
                    self._crew.sync()  # asks again
            case session.TimePassed():
                self._react(event)
                self._take_time()
            case session.StreamsEnded(is_too_large=True):
                # Never the same again: smaller, or as any other report that the master calls invalid.
                self._react(replace(event, is_rejection=not self.reporting.shrink()))
            case _:
                self._react(event)

    def _react(self, event: session.SessionEvent) -> None:
        for effect in self._connection.handle(event):
            match effect:
                case session.Fence(reason):
                    self._crew.fence(reason)
                case session.Drain(reason):
                    logger.info("%s; users end, last reports are sent", reason)
                    self._crew.leave()
                case session.End():
                    self._end = effect

    def _take_admission(self, event: RegisterAnswered) -> None:
        if session.has_session(self._connection.state):
            return
        response = event.response
        self._pace.resume_token = response.resume_token
        if self._crew.duty.has_ended_users_since(event.request):
            # The master would send them all at once, as to one that runs them.
            self._react(session.AdmittedTooLate())
            return
        if response.master_epoch != self._pace.master_epoch:
            self._pace.master_epoch = response.master_epoch
            self._clock.forget()
            self._crew.duty.meet_new_master()
        self._pace.set_interval(response.report_interval.ToTimedelta().total_seconds())
        self._sample_clock(response.clock, event.received_ns)
        self._pace.say(response.notices)
        name = response.worker_name or self._identity.request.worker_name
        self.pool.set_identity(indices=response.runner_indices, name=name)
        self.reporting.admitted(response)
        self._react(
            session.Admitted(
                session_id=response.session_id,
                lease_ttl_s=response.lease_ttl.ToTimedelta().total_seconds(),
                sent_s=event.sent_ns / 1e9,
            )
        )
        self._share_lease()
        self.pool.ping(time.monotonic())
        self._report(is_interval_over=True)

    def _share_lease(self) -> None:
        self.pool.lease_until_s = session.lease_until_s(self._connection.state)

    def _take_command(self, event: CommandArrived) -> None:
        command, session_id = event.command, event.session_id
        kind = command.WhichOneof("command")
        if kind == "assignment":
            self._crew.assign(command.assignment, self._clock.estimate)
        elif kind == "acknowledgement":
            acknowledgement = command.acknowledgement
            self._sample_clock(acknowledgement.clock, event.received_ns)
            self.reporting.acknowledge(acknowledgement.run_id, acknowledgement.sequence)
            self._react(session.Acknowledged(session_id, acknowledgement.clock.worker_sent_ns / 1e9))
            self._report(is_interval_over=False)
        elif kind == "resync":
            self.reporting.resync(command.resync)
            self._report(is_interval_over=False)
        elif kind == "custom_message":
            self._crew.deliver(command.custom_message)
        elif kind == "settings":
            self._pace.set_interval(command.settings.report_interval.ToTimedelta().total_seconds())
        elif kind == "superseded":
            self._react(session.Superseded(session_id, command.superseded.by))
        elif kind == "master_leaving":
            self._react(session.MasterLeft(session_id, command.master_leaving.reason))

    def _take_time(self) -> None:
        now_s = time.monotonic()
        self._share_lease()
        self._crew.time_passed(now_s)
        if self._crew.duty.follow_clock(self._clock.estimate):
            self._crew.sync()
        if self._pace.is_report_due(now_s):
            self._report(is_interval_over=True)

    # ── statistics ───────────────────────────────────────────────────────────────────────────────────────

    def _report(self, *, is_interval_over: bool) -> None:
        if not self._connection.is_open:
            return
        for report in self.reporting.due(self._status, is_interval_over=is_interval_over):
            self._connection.send(report)

    def _status(self) -> report_pb2.WorkerStatus:
        return self.health.status(self._clock.estimate)

    def _sample_clock(self, sample: report_pb2.ClockSample, received_ns: int) -> None:
        self._clock.add(
            sent_ns=sample.worker_sent_ns,
            master_received_ns=sample.master_received_ns,
            master_sent_ns=sample.master_sent_ns,
            received_ns=received_ns,
        )

    def _look_after_users(self) -> None:
        """When users have ended for good, the final report is due; and when the worker leaves, its end."""
        outbox, duty = self.reporting.outbox, self._crew.duty
        is_ended = outbox is None or self.pool.has_ended(outbox.run_id)
        if outbox is not None and is_ended and duty.is_last_report_due(outbox.run_id):
            was_final = outbox.is_final and not outbox.open
            if self.reporting.finish() and not was_final:
                self._report(is_interval_over=False)
        if self._connection.state.phase is session.SessionPhase.LEAVING and is_ended:
            self._leave_when_delivered()

    def _answer_at_once(self) -> None:
        """Says that users were given up as soon as they were: somebody waits to start them elsewhere."""
        generation = self._crew.duty.observed_generation
        if generation != self._pace.seen_generation:
            self._pace.seen_generation = generation
            if self._pace.may_answer and self._crew.duty.starts_nobody:
                self._report(is_interval_over=True)

    def _leave_when_delivered(self) -> None:
        outbox, now_s = self.reporting.outbox, time.monotonic()
        self._pace.drained_s = self._pace.drained_s or now_s
        is_over = now_s - self._pace.drained_s >= DELIVERY_TIMEOUT_S
        owes = outbox is not None and not outbox.is_settled
        if owes and not is_over and session.may_deliver(self._connection.state):
            return
        if owes and outbox is not None:
            logger.warning("the last reports were not acknowledged by the master reports=%d", outbox.unacked)
        self._react(session.Drained())

    # ── registration and bundles ─────────────────────────────────────────────────────────────────────────

    def _make_request(self) -> master_service_pb2.RegisterRequest:
        request = master_service_pb2.RegisterRequest()
        request.CopyFrom(self._identity.request)
        request.protocol_min, request.protocol_max = versions.PROTOCOL_MIN, versions.PROTOCOL_MAX
        request.resume_token = self._pace.resume_token
        if self._identity.own_manifest is not None:
            request.own_manifest.CopyFrom(self._identity.own_manifest)
        if (outbox := self.reporting.outbox) is not None:
            request.progress.run_id = outbox.run_id
            request.progress.observed_generation = self._crew.duty.observed_generation
            request.progress.phase = self._crew.duty.phase
            request.progress.last_sequence = outbox.last_sequence
        return request

    def _fetch(self, digest: bytes) -> None:
        if session.has_session(self._connection.state) and self._fetches.begin(digest):
            session_id = self._connection.state.session_id
            self._tasks.create_task(self._fetches.get(session_id, digest, self.post), name="fetch-bundle")


class _Looks:
    """Looks at the clocks between two events; says once when this loop is slow by itself."""

    def __init__(self) -> None:
        self._last = _moment()
        self._is_said = False

    def look(self) -> standstill.Gap:
        """Returns what happened since the last look."""
        now = _moment()
        gap = standstill.gap(self._last, now)
        self._last = now
        if gap.late_s and not self._is_said:
            self._is_said = True
            logger.warning(
                "the worker is too slow for its runners: it was busy for %.1f s at once", gap.late_s
            )
        return gap


def _moment() -> standstill.Moment:
    monotonic_s = time.monotonic()
    boot_s = time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else monotonic_s
    return standstill.Moment(monotonic_s, boot_s, time.process_time())


class _Pace:
    """When to report, and what is remembered from one session to the next."""

    def __init__(self) -> None:
        self.master_epoch = 0
        self.resume_token = b""
        self.drained_s = 0.0
        self.seen_generation = 0
        self._interval_s = REPORT_INTERVAL_S
        self._next_s = 0.0
        self._said: set[str] = set()

    def set_interval(self, interval_s: float) -> None:
        """Sets the seconds between two reports; 0 keeps what was."""
        self._interval_s = interval_s or self._interval_s

    @property
    def may_answer(self) -> bool:
        """True unless the master has so many workers that it wants fewer reports."""
        return self._interval_s <= REPORT_INTERVAL_S

    def say(self, notices: Iterable[str]) -> None:
        """Logs what the master says of this worker: a sentence once, however often it is admitted."""
        for notice in notices:
            if notice not in self._said:
                self._said = {*self._said, notice} if len(self._said) < MAX_SAID_NOTICES else {notice}
                logger.warning("%s", notice)

    def is_report_due(self, now_s: float) -> bool:
        """True once an interval; the rhythm is kept, and missed beats are not made up for."""
        if now_s < self._next_s:
            return False
        self._next_s = max(self._next_s + self._interval_s, now_s + self._interval_s / 2)
        return True
