"""The cluster as a whole: one master at a time, workers that come and go, and what is done to them.

`World` has a method for every blow and every wish; `pass_time` lets time pass under the eyes of the laws.
"""

from __future__ import annotations

import asyncio
import logging
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from locust_master.planning.goal import ClassShare, Goal
from tests.simulation.laws import Laws
from tests.simulation.master_life import MasterLife
from tests.simulation.simulated_runner import CLASSES, RunnerHost, SimulatedRunner
from tests.simulation.simulated_store import Journal
from tests.simulation.simulated_time import installed
from tests.simulation.truth import Truth
from tests.simulation.virtual_loop import SECOND_NS, Machine, VirtualLoop
from tests.simulation.worker_life import WorkerLife

OBSERVE_S = 0.1
"""Seconds between two looks of the laws."""


@dataclass(frozen=True)
class WorldSettings:
    """What holds for a whole simulation."""

    lease_ttl_s: float = 3.0
    clock_offset_s: float = 3_600.0
    """Clocks of workers are off by up to that."""
    drift_ppm: float = 50.0


class World:
    """See the module."""

    def __init__(self, loop: VirtualLoop, seed: int, settings: WorldSettings) -> None:
        self.loop = loop
        self.settings = settings
        self.seed = seed
        self.chance = random.Random(f"{seed} network")
        self.truth = Truth()
        self.journal = Journal(loop.folder)
        self.workers: list[WorkerLife] = []
        self.diary: list[str] = []
        """What was done, with the time; said when a law is broken."""
        self.blows: Counter[str] = Counter()
        self._master_machine = Machine(loop, "master")
        self._lives = 0
        self.master = self._new_master()
        self.laws = Laws(self)

    # ── time ─────────────────────────────────────────────────────────────────────────────────────────────

    async def pass_time(self, seconds: float) -> None:
        """Lets time pass and looks at the laws meanwhile."""
        until_s = self.loop.time() + seconds
        while (left_s := until_s - self.loop.time()) > 1e-9:
            await asyncio.sleep(min(left_s, OBSERVE_S))
            self.loop.check()
            self.laws.look()

    async def wait_until(self, is_so: Callable[[], bool], *, timeout_s: float) -> bool:
        """Lets time pass until something is so; False when it never was."""
        until_s = self.loop.time() + timeout_s
        while not is_so():
            if self.loop.time() > until_s:
                return False
            await self.pass_time(OBSERVE_S)
        return True

    def note(self, text: str) -> None:
        """Writes into the diary."""
        self.diary.append(f"{self.loop.time():7.2f} s  {text}")

    # ── workers ──────────────────────────────────────────────────────────────────────────────────────────

    def join(self, *, runners: int, drain_s: float = 0.0) -> WorkerLife:
        """A new worker comes."""
        number = len(self.workers)
        machine = Machine(
            self.loop,
            f"host{number}",
            offset_ns=round(self.chance.uniform(-1, 1) * self.settings.clock_offset_s * SECOND_NS),
            drift_ppm=self.chance.uniform(-1, 1) * self.settings.drift_ppm,
        )
        host = RunnerHost(
            loop=self.loop,
            truth=self.truth,
            seed=self.seed,
            worker_uid=(number + 1).to_bytes(16, "big"),
            drain_s=drain_s,
            true_start_ns=lambda: self.journal.start_ns,
        )
        worker = WorkerLife(self.loop, machine, host, name=f"w{number}", runners=runners)
        worker.line.master, worker.line.service = self.master.process, self.master.service
        self.workers.append(worker)
        self.note(f"{worker.name} starts with {runners} runners")
        return worker

    def present(self) -> list[WorkerLife]:
        """Workers that are there and not about to leave."""
        return [worker for worker in self.workers if worker.is_present and not worker.is_leaving]

    def later(self, delay_s: float, act: Callable[[], object]) -> None:
        """Does something later; for the ends of hangs."""
        self.loop.call_later(delay_s, act)

    def end_trouble(self) -> None:
        """Every line is fit, nobody stands still, and there is a master."""
        self.note("trouble ends")
        self.restart_master()
        self.master.store.is_stalled = False
        for worker in self.workers:
            worker.line.heal()
            worker.process.thaw()
            for runner in worker.host.runners:
                runner.process.thaw()
        self.master.process.thaw()

    def kill_runner(self, runner: SimulatedRunner) -> None:
        self.note(f"kill {runner.process.name}")
        runner.process.kill()

    # ── the master ───────────────────────────────────────────────────────────────────────────────────────

    def kill_master(self) -> None:
        """SIGKILL of the master."""
        self.note(f"kill {self.master.process.name}")
        self.master.kill()

    def restart_master(self) -> None:
        """Starts a master on the same run directory."""
        if self.master.process.is_alive:
            return
        self.master = self._new_master()
        self.note(f"{self.master.process.name} starts")
        for worker in self.workers:
            worker.line.master, worker.line.service = self.master.process, self.master.service

    def start(
        self, *, users: int, spawn_rate: float, weights: tuple[int, ...], run_time_s: float | None
    ) -> None:
        """Starts the run."""
        self.note(f"start {users} users at {spawn_rate}/s, weights {weights}, run time {run_time_s}")
        self.master.start(Goal(users, spawn_rate, class_shares(weights)), run_time_s=run_time_s)

    def _new_master(self) -> MasterLife:
        self._lives += 1
        return MasterLife(
            self.loop,
            self._master_machine,
            self.journal,
            self.chance,
            lease_ttl_s=self.settings.lease_ttl_s,
            number=self._lives,
        )


def class_shares(weights: tuple[int, ...]) -> tuple[ClassShare, ...]:
    """Returns the first classes with these weights."""
    return tuple(ClassShare(name, weight) for name, weight in zip(CLASSES, weights, strict=False))


@contextmanager
def quiet_loop() -> Iterator[VirtualLoop]:
    """A virtual loop with virtual clocks in all modules, and nobody writes logs."""
    loop = VirtualLoop()
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with installed(), tempfile.TemporaryDirectory() as folder:
            loop.folder = Path(folder)
            try:
                yield loop
            finally:
                loop.end_tasks()
    finally:
        logging.disable(disabled)
        loop.close()
