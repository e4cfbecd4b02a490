"""The runner processes of this machine: starts them, listens to them, ends them. Decides nothing about users.

Each slot has at most one runner at work; runners that were replaced or told to quit live on until they have
ended. Everything that a runner does becomes an event for the agent's one loop. Runners are started from the
main thread, as they die with the thread that started them; no runner may outlive `close`.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psutil
from google.protobuf.message import DecodeError

from locust_protocol.framing import FrameTooLarge
from locust_protocol.limits import MAX_SERIES_NAMES, RUNNER_FLUSH_INTERVAL_S
from locust_protocol.process.lease_clock import lease_clock_ns
from locust_protocol.process.runner_process import RunnerProcess
from locust_protocol.runner.v1 import link_pb2
from locust_protocol.v1 import assignment_pb2
from locust_worker import trace
from locust_worker.combine import RunnerNames
from locust_worker.runner_state import RunnerLife
from locust_worker.status import RunnerHealth

logger = logging.getLogger(__name__)

PING_INTERVAL_S = 0.5
"""Seconds between two pings: four unanswered ones make a runner STALLED."""

LAST_FRAMES_S = 0.5
"""Seconds after a runner's exit for what it had written; a process that it left behind may hold the link."""

QUIT_GRACE_S = 5.0
"""Seconds that a runner gets for its quitting listeners, before it is ended."""


@dataclass(frozen=True, slots=True)
class Code:
    """A locustfile on this machine. `digest` is empty for one of the user's own."""

    digest: bytes
    directory: str
    locustfiles: tuple[str, ...]


@dataclass(slots=True, eq=False)
class Runner:
    """One life of a runner process."""

    slot: int
    index: int
    life: int
    """Number of this process among all that the pool has started."""
    is_restart: bool = False
    """It replaces one that crashed."""
    process: RunnerProcess | None = None
    names: RunnerNames = field(default_factory=RunnerNames)
    health: RunnerHealth = field(default_factory=RunnerHealth)
    user_classes: frozenset[str] = frozenset()
    target: link_pb2.Target | None = None
    """The last one sent."""
    applied_generation: int = 0
    owes_final_of: bytes = b""
    """Run that it was told to run and has not sent the final report of."""
    drained_run_id: bytes = b""
    """Run that it was told to end; a runner does not begin a run twice."""
    drain_until_s: float | None = None
    """When it is ended if it still owes the final report."""
    complete_ns: int = 0
    """Until when all samples of it are here, on this machine's monotonic clock."""
    load_failure: str = ""
    loaded: link_pb2.Loaded | None = None
    """What it said when it had loaded the locustfile."""
    is_asked_where: bool = False
    """It gives no sign of life and has been asked to write its stack down."""
    is_replaced: bool = False
    """Told to quit; another has its slot, or nobody needs one."""
    meter: psutil.Process | None = None

    def send(self, **frame: object) -> None:
        """Sends a frame, given by its field of `ToRunner`."""
        if self.process is not None:
            self.process.send(link_pb2.ToRunner(**frame))  # type: ignore[arg-type]

    @property
    def is_loaded(self) -> bool:
        """True once it has loaded the locustfile."""
        return self.loaded is not None

    def ask_where(self) -> None:
        """Asks where it is by a signal, as it answers no ping; `take_where` has it a moment later."""
        self.is_asked_where = True
        if self.process is not None and self.loaded is not None:
            trace.ask(self.process.pid, self.loaded)

    def take_where(self, code_directory: str) -> str:
        """Returns `file:line` where it was, "" when that is not known."""
        self.is_asked_where = False
        if self.process is None or self.loaded is None:
            return ""
        return trace.read_answer(self.process.pid, self.loaded, code_directory)

    def measure(self) -> None:
        """Measures CPU since the last call, and memory, from outside: a stuck runner cannot say."""
        if self.process is None:
            return
        try:
            self.meter = self.meter or psutil.Process(self.process.pid)
            self.health.cpu_percent = self.meter.cpu_percent()
            self.health.memory_bytes = self.meter.memory_info().rss
        except psutil.Error:
            self.health.cpu_percent = 0.0


@dataclass(slots=True)
class Slot:
    """A place for a runner."""

    life: RunnerLife = field(default_factory=RunnerLife)
    runner: Runner | None = None


@dataclass(frozen=True, slots=True)
class RunnerFrame:
    """A runner sent something."""

    runner: Runner
    frame: link_pb2.FromRunner


@dataclass(frozen=True, slots=True)
class RunnerExited:
    """A runner process has ended, and all that it sent has been seen. `how` is a phrase for people."""

    runner: Runner
    how: str
    exited_ns: int
    """When that was noticed, on this machine's monotonic clock."""


PoolEvent = RunnerFrame | RunnerExited


class RunnerPool:
    """All runners of the agent."""

    def __init__(self, runners: int, *, post: Callable[[PoolEvent], None], tasks: asyncio.TaskGroup) -> None:
        self.slots = [Slot() for _ in range(runners)]
        self.code: Code | None = None
        self._post = post
        self._tasks = tasks
        self._living: set[Runner] = set()
        self._settings = assignment_pb2.RunSettings()
        self._indices: tuple[int, ...] = tuple(range(runners))
        self._name = ""
        self.lease_until_s: float | None = None
        """When the agent's lease ends, on the monotonic clock; None while it has none."""
        self._pinged_s = 0.0
        self._lives = 0
        self._is_closed = False

    def set_identity(self, *, indices: Sequence[int], name: str) -> None:
        """Sets what user code is told about each runner; for those that are started from now on."""
        if len(indices) == len(self.slots):
            self._indices = tuple(indices)
        self._name = name

    def load(self, code: Code, settings: assignment_pb2.RunSettings, *, may_reindex: bool) -> None:
        """Makes every slot have a runner with this code; those that have it already are kept.

        A runner whose cluster-wide index has changed is replaced, too, unless it runs users; with
        `may_reindex` even then.
        """
        self._settings = settings
        is_new = code != self.code
        self.code = code
        for number, slot in enumerate(self.slots):
            runner = slot.runner
            is_renamed = runner is not None and runner.index != self._indices[number]
            may_go = may_reindex or (runner is not None and not runner.owes_final_of)
            if is_new or (may_go and is_renamed):
                self.renew(number)

    def renew(self, number: int) -> None:
        """Puts a new runner into a slot; the old one ends its users, reports and quits."""
        slot = self.slots[number]
        self._replace(slot)
        slot.life = RunnerLife()
        self._start(number)

    def revive(self) -> None:
        """Starts again what was given up: a new run may fare better."""
        for number, slot in enumerate(self.slots):
            slot.life.forgive()
            if slot.life.is_given_up:
                self._start(number)

    def time_passed(self, now_s: float) -> None:
        """Pings, and starts what is to be started again."""
        for number, slot in enumerate(self.slots):
            if slot.life.restart_at_s is not None and now_s >= slot.life.restart_at_s:
                self._start(number, is_restart=True)
        if now_s - self._pinged_s >= PING_INTERVAL_S:
            self.ping(now_s)

    def ping(self, now_s: float) -> None:
        """Asks all for a sign of life, and tells them until when they may go on without another ping."""
        self._pinged_s = now_s
        ping = link_pb2.Ping(id=int(now_s * 1000))
        if self.lease_until_s is not None:
            ping.lease_until_ns = lease_clock_ns() + round((self.lease_until_s - now_s) * 1e9)
        for runner in self._living:
            runner.send(ping=ping)

    def working(self) -> list[Runner]:
        """Returns the runners that have a slot."""
        return [slot.runner for slot in self.slots if slot.runner is not None]

    def index_of(self, number: int) -> int:
        """Returns the cluster-wide index of a slot's runner."""
        runner = self.slots[number].runner
        return runner.index if runner is not None else self._indices[number]

    def has_ended(self, run_id: bytes) -> bool:
        """True when no runner, replaced ones included, owes a final report of the run."""
        return not run_id or not any(runner.owes_final_of == run_id for runner in self._living)

    def end(self, runner: Runner) -> None:
        """Ends a runner that does not do as told; its exit is noticed as any other."""
        if runner.process is not None:
            self._tasks.create_task(runner.process.stop(), name=f"end-runner-{runner.slot}")

    def quit_all(self) -> None:
        """Tells every runner to run its quitting listeners and to end; starts none any more."""
        self._is_closed = True
        for slot in self.slots:
            self._replace(slot)

    async def wait_gone(self, *, timeout_s: float) -> None:
        """Waits until no runner is left, or that long."""
        deadline_s = time.monotonic() + timeout_s
        while self._living and time.monotonic() < deadline_s:
            await asyncio.sleep(0.02)

    def kill_all(self) -> None:
        """Ends every runner at once."""
        self._is_closed = True
        for runner in self._living:
            if runner.process is not None:
                runner.process.kill()

    def _start(self, number: int, *, is_restart: bool = False) -> None:
        if self._is_closed or self.code is None:
            return
        slot = self.slots[number]
        slot.life.started(time.monotonic())
        self._lives += 1
        slot.runner = runner = Runner(number, self._indices[number], self._lives, is_restart=is_restart)
        self._living.add(runner)
        self._tasks.create_task(self._live(runner, self._load_frame(runner)), name=f"runner-{number}")

    def _load_frame(self, runner: Runner) -> link_pb2.Load:
        assert self.code is not None, "runners are started once there is code"
        return link_pb2.Load(
            role=link_pb2.RUNNER_ROLE_WORKER,
            directory=self.code.directory,
            locustfiles=self.code.locustfiles,
            bundle_digest=self.code.digest,
            settings=self._settings,
            slot=runner.slot,
            index=runner.index,
            client_id=f"{self._name}_{runner.index}",
            flush_interval_ms=int(RUNNER_FLUSH_INTERVAL_S * 1000),
            max_series=self._settings.max_names or MAX_SERIES_NAMES,
        )

    def _replace(self, slot: Slot) -> None:
        runner, slot.runner = slot.runner, None
        slot.life.restart_at_s = None
        if runner is None:
            return
        runner.is_replaced = True
        runner.send(quit=link_pb2.Quit())
        self._tasks.create_task(self._end_unless_quit(runner), name=f"quit-runner-{runner.slot}")

    async def _end_unless_quit(self, runner: Runner) -> None:
        deadline_s = time.monotonic() + QUIT_GRACE_S + self._settings.stop_timeout_ms / 1000
        while runner in self._living and time.monotonic() < deadline_s:
            await asyncio.sleep(0.05)
        if runner in self._living and runner.process is not None:
            logger.warning("runner did not quit and is ended slot=%d pid=%d", runner.slot, runner.process.pid)
            await runner.process.stop()

    async def _live(self, runner: Runner, load: link_pb2.Load) -> None:
        how, exited_ns = "could not be started", 0
        try:
            process = await RunnerProcess.start()
            try:
                runner.process = process
                runner.send(load=load)
                if runner.is_replaced:
                    runner.send(quit=link_pb2.Quit())
                if self._is_closed and not runner.is_replaced:
                    process.kill()
                logger.debug("runner started slot=%d pid=%d", runner.slot, process.pid)
                code, exited_ns = await self._listen(runner, process)
                how = _exit_phrase(code)
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait_exit()
        except OSError as error:
            how = f"could not be started: {error.strerror or error}"
        finally:
            self._living.discard(runner)
        self._post(RunnerExited(runner, how, exited_ns))

    async def _listen(self, runner: Runner, process: RunnerProcess) -> tuple[int, int]:
        """Posts what the runner sends until its process has ended; returns its exit code, and when it had."""
        reading = asyncio.create_task(self._read(runner, process), name=f"read-runner-{runner.slot}")
        try:
            await process.wait_exit()
            exited_ns = time.monotonic_ns()
            process.kill()  # the rest of its group: what user code started goes with it
            await asyncio.wait([reading], timeout=LAST_FRAMES_S)
        finally:
            reading.cancel()
        return await process.stop(), exited_ns  # which closes our end of the link

    async def _read(self, runner: Runner, process: RunnerProcess) -> None:
        try:
            async for frame in process.frames():
                self._post(RunnerFrame(runner, frame))
        except (FrameTooLarge, DecodeError) as error:
            logger.error("runner sent nonsense and is ended slot=%d: %s", runner.slot, error)
            process.kill()


def _exit_phrase(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
