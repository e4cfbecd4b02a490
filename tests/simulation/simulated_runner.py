"""A runner without gevent: executes targets, takes samples at random moments, reports like the real one.

What it records with, how it numbers reports and what it makes of a schedule is the real code; only greenlets,
listeners and requests are missing. Users are numbers here.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from locust_protocol.limits import RUNNER_COMPLETE_WITHIN_S, RUNNER_FLUSH_INTERVAL_S
from locust_protocol.process.exit_codes import ExitCode
from locust_protocol.runner.v1 import link_pb2
from locust_protocol.schedule import Span, UserSchedule, next_due_us, wanted_users
from locust_protocol.v1 import assignment_pb2, manifest_pb2, report_pb2, value_pb2
from locust_runtime.run.lease import Lease
from locust_runtime.run.recorder import RunRecorder
from locust_runtime.run.report_window import ReportWindow
from tests.simulation.truth import Truth
from tests.simulation.virtual_loop import CURRENT, SECOND_NS, Process, ProcessState, VirtualLoop

CLASSES = ("A", "B")

WORK_INTERVAL_S = 0.21
"""Seconds between two looks at which users end a request."""

MAX_SAMPLES_AT_ONCE = 2
"""Samples of one look, however many users there are: they only have to be told apart."""

SECOND_MARGIN_NS = 130_000_000
"""No request ends so close to the edge of a second that a clock's error could move it over."""

LINK_S = 0.0005
"""Seconds that a frame takes between an agent and its runner."""

HEARTBEAT_S = 1.0


@dataclass
class RunnerHost:
    """The machine as its runners see it; an agent's process has one as `host`."""

    loop: VirtualLoop
    truth: Truth
    worker_uid: bytes
    seed: int = 0
    drain_s: float = 0.0
    """Seconds that users take to end when a run is stopped."""
    true_start_ns: Callable[[], int] = lambda: 0
    """True time at which the run began."""
    runners: list[SimulatedRunner] = field(default_factory=list)

    def users(self) -> Counter[str]:
        """Users that run here, on whatever runner; those of one that stands still load nobody."""
        total: Counter[str] = Counter()
        for runner in self.runners:
            if runner.users and runner.process.state is ProcessState.ALIVE:
                total.update(runner.users)
        return total

    def ending(self) -> int:
        """Users among them that were told to end and finish what they do."""
        return sum(runner.users.total() for runner in self.runners if runner.is_ending)


class SimulatedRunnerProcess:
    """The agent's end: what `RunnerProcess` is for a real one."""

    def __init__(self, runner: SimulatedRunner, agent: Process, *, pid: int) -> None:
        self.pid = pid
        self._agent = agent
        self.returncode: int | None = None
        self._runner = runner
        self._frames: asyncio.Queue[link_pb2.FromRunner | None] = asyncio.Queue()
        self._exited = asyncio.Event()
        self._is_closed = False

    @classmethod
    async def start(cls) -> SimulatedRunnerProcess:
        """Starts a runner on the machine of the agent that asks."""
        agent = CURRENT.get()
        assert agent is not None
        host = agent.host
        assert isinstance(host, RunnerHost)
        await asyncio.sleep(0.02)
        number = len(host.runners)
        process = Process(host.loop, agent.machine, f"{agent.name}.r{number}")
        runner = SimulatedRunner(process, host)
        host.runners.append(runner)
        handle = cls(runner, agent, pid=1_000 + number)
        runner.send = lambda frame: agent.call_later(LINK_S, handle._frames.put_nowait, frame)
        runner.exit = handle._exit
        process.on_death.append(lambda: handle._exit(-9))
        agent.on_death.append(lambda: host.loop.call_later(0.01, process.kill))
        runner.start()
        return handle

    def send(self, frame: link_pb2.ToRunner) -> None:
        if not self._is_closed:
            self._runner.process.call_later(LINK_S, self._runner.take, frame)

    async def frames(self) -> AsyncIterator[link_pb2.FromRunner]:
        while (frame := await self._frames.get()) is not None:
            yield frame

    async def wait_exit(self) -> int:
        await self._exited.wait()
        assert self.returncode is not None
        return self.returncode

    def kill(self) -> None:
        self._runner.process.kill()

    async def stop(self, *, grace_s: float = 2.0) -> int:
        self._is_closed = True
        self._runner.process.call_later(LINK_S, self._runner.link_closed)
        try:
            async with asyncio.timeout(grace_s):
                await self._exited.wait()
        except TimeoutError:
            pass
        self.kill()
        return await self.wait_exit()

    def _exit(self, code: int) -> None:
        if self.returncode is None:
            self.returncode = code
            self._agent.call_later(2 * LINK_S, self._frames.put_nowait, None)
            self._agent.call_later(2 * LINK_S, self._exited.set)
            if code != -9:
                self._runner.process.kill()


class SimulatedRunner:
    """The runner's end."""

    def __init__(self, process: Process, host: RunnerHost) -> None:
        self.process = process
        self.host = host
        self.users: Counter[str] = Counter()
        self._chance = random.Random(f"{host.seed} {process.name}")
        self.send: Callable[[link_pb2.FromRunner], object] = lambda frame: None
        self.exit: Callable[[int], None] = lambda code: None
        self.recorder = RunRecorder()
        self.epoch = 0
        self._window = ReportWindow()
        self._lease = Lease()
        self._target = link_pb2.Target()
        self._schedules: tuple[UserSchedule, ...] = ()
        self._run_id = self._ended_run_id = b""
        self.is_ending = self._is_quitting = False
        self._observed_generation = 0
        self._in_hand: list[int] = []
        self._told_users: dict[str, int] = {}
        self._heartbeat_s = 0.0
        self._complete_ns = 0
        self._alarm = 0

    def start(self) -> None:
        """Begins to live."""
        self.process.on_death.append(self._note_death)
        self.process.create_task(self._flush_for_ever(), name="flush")
        self.process.create_task(self._work_for_ever(), name="work")

    def take(self, frame: link_pb2.ToRunner) -> None:
        """A frame of the agent's."""
        kind = frame.WhichOneof("frame")
        if kind == "load":
            self.process.call_later(self._chance.uniform(0.05, 0.3), self._loaded)
        elif kind == "target":
            self._target = link_pb2.Target()
            self._target.CopyFrom(frame.target)
            self._approach()
        elif kind == "report_accepted":
            self._window.accept(frame.report_accepted.run_id, frame.report_accepted.sequence)
        elif kind == "ping":
            if frame.ping.HasField("lease_until_ns"):
                self._lease.renew(frame.ping.lease_until_ns)
            self.send(link_pb2.FromRunner(pong=link_pb2.Pong(id=frame.ping.id)))
        elif kind == "quit":
            self._is_quitting = True
            if not self._run_id:
                self._quit()
            elif not self.is_ending:
                self._begin_end()

    def link_closed(self) -> None:
        """The agent gives this runner up: its users end, and so does it."""
        self.users.clear()
        self.exit(ExitCode.DEGRADED)

    # ── targets ──────────────────────────────────────────────────────────────────────────────────────────

    def _loaded(self) -> None:
        manifest = manifest_pb2.Manifest(user_classes=[manifest_pb2.UserClass(name=n) for n in CLASSES])
        self.send(link_pb2.FromRunner(loaded=link_pb2.Loaded(manifest=manifest, pid=1)))

    def _approach(self) -> None:
        target = self._target
        if self.is_ending or self._is_quitting:
            return
        is_wanted = target.phase == assignment_pb2.PHASE_RUN and bool(target.run_id) and not self._is_over()
        if self._run_id and not (is_wanted and target.run_id == self._run_id):
            self._begin_end()
        elif self._run_id or (is_wanted and target.run_id != self._ended_run_id):
            if not self._run_id:
                self._run_id = target.run_id
                self.recorder.start_run(run_start_ns=target.run_start_ns, stats_epoch=target.stats_epoch)
                self._window = ReportWindow(target.run_id)
            self.epoch = target.stats_epoch
            self.recorder.set_start(target.run_start_ns)
            self.recorder.set_epoch(target.stats_epoch)
            self._schedules = tuple(map(_schedule, target.goals))
            self._place()
        else:
            self._note_applied()

    def _look_at_lease(self) -> None:
        if self._lease.is_over and self._run_id and self._target.phase == assignment_pb2.PHASE_RUN:
            self._target.phase = assignment_pb2.PHASE_DRAIN
            self._approach()

    def _is_over(self) -> bool:
        target = self._target
        return target.HasField("deadline_us") and self._run_us() >= target.deadline_us

    def _run_us(self) -> int:
        return (self.process.machine.clock_ns() - self._target.run_start_ns) // 1_000

    def _place(self) -> None:
        """As many users as are wanted now, and again when that changes."""
        if not self._run_id or self.is_ending:
            return
        if self._is_over():
            self._begin_end()
            return
        now_us = self._run_us()
        self.users = Counter({each.user_class: wanted_users(each, now_us) for each in self._schedules})
        self._note_applied()
        dues = [due for each in self._schedules if (due := next_due_us(each, now_us)) is not None]
        if self._target.HasField("deadline_us"):
            dues.append(self._target.deadline_us)
        self._alarm += 1
        if dues:
            self.process.call_later(max(0.0, (min(dues) - now_us) / 1e6) + 1e-6, self._ring, self._alarm)

    def _ring(self, alarm: int) -> None:
        if alarm == self._alarm:
            self._place()

    def _begin_end(self) -> None:
        self.is_ending = True
        self.process.call_later(self.host.drain_s, self._end_run)

    def _end_run(self) -> None:
        self.users.clear()
        self._send_report(is_final=True)
        self._window = ReportWindow()
        self.recorder.end_run()
        self._ended_run_id, self._run_id = self._run_id, b""
        self.is_ending = False
        if self._is_quitting:
            self._quit()
        else:
            self._approach()

    def _quit(self) -> None:
        self.send(link_pb2.FromRunner(quitting=link_pb2.Quitting()))
        self.process.call_later(0.01, self.exit, 0)

    def _note_applied(self) -> None:
        if self._target.generation != self._observed_generation:
            self._observed_generation = self._target.generation
            applied = link_pb2.TargetApplied(generation=self._target.generation)
            self.send(link_pb2.FromRunner(target_applied=applied))

    # ── samples ──────────────────────────────────────────────────────────────────────────────────────────

    async def _work_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._chance.uniform(0.5, 1.5) * WORK_INTERVAL_S)
            for _ in range(min(self.users.total(), MAX_SAMPLES_AT_ONCE)):
                self._work()

    def _work(self) -> None:
        now_ns, host = self.host.loop.now_ns, self.host
        into_second_ns = (now_ns - host.true_start_ns()) % SECOND_NS
        if not SECOND_MARGIN_NS < into_second_ns < SECOND_NS - SECOND_MARGIN_NS:
            return
        sample = host.truth.take(
            at_ns=now_ns, epoch=self.epoch, worker=host.worker_uid, runner=self.process.name
        )
        if sample is not None:
            self._in_hand.append(sample.number)
            self.recorder.record(
                "GET", sample.name, sample.response_us / 1000, 10, "boom" if sample.is_failed else None
            )

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(RUNNER_FLUSH_INTERVAL_S)
            self._look_at_lease()  # which the real one looks at as often
            is_full = self._window.is_full
            is_heartbeat_due = self.host.loop.time() - self._heartbeat_s >= HEARTBEAT_S
            if (
                (self.recorder.has_samples and not is_full)
                or is_heartbeat_due
                or self._is_word_due
                or self.users != self._told_users
            ):
                self._send_report(is_final=False)

    @property
    def _is_word_due(self) -> bool:
        behind_s = (self.process.machine.clock_ns() - self._complete_ns) / SECOND_NS
        is_late = behind_s + RUNNER_FLUSH_INTERVAL_S >= RUNNER_COMPLETE_WITHIN_S
        return bool(self.users) and not self.recorder.has_samples and is_late

    def _send_report(self, *, is_final: bool) -> None:
        report = report_pb2.Report()
        if self.recorder.has_samples and (is_final or not self._window.is_full):
            report = self.recorder.drain()
            self._in_hand.clear()
        if not self.recorder.has_samples:
            self._complete_ns = self.process.machine.clock_ns()
        report.sent_ns = self._complete_ns
        is_heartbeat = is_final or self.host.loop.time() - self._heartbeat_s >= HEARTBEAT_S
        if is_heartbeat:
            self._heartbeat_s = self.host.loop.time()
            if self._run_id:
                report.user_data.append(self._user_data())
        report.run_id, report.final = self._window.run_id, is_final
        self._told_users = dict(self.users)
        report.status.users.extend(
            report_pb2.ClassCount(user_class=name, running=count) for name, count in self.users.items()
        )
        report.status.runners.add(users=self.users.total())
        if self._window.run_id and (is_final or report.slices or report.user_data):
            report.sequence = self._window.next_sequence()
        self.send(link_pb2.FromRunner(report=report))

    def _user_data(self) -> report_pb2.RunnerData:
        number = self.host.truth.next_user_data()
        return report_pb2.RunnerData(data=value_pb2.Value(int_value=number))

    def _note_death(self) -> None:
        self.users.clear()
        for number in self._in_hand:
            self.host.truth.died_with_runner[number] = self.process.name


def _schedule(goal: assignment_pb2.ClassGoal) -> UserSchedule:
    spans = tuple(Span(s.first_due_us, s.interval_us, s.count, s.change) for s in goal.users.spans)
    return UserSchedule(goal.user_class, goal.users.base_users, spans)
