"""A master: real cluster, service, clock, keeper and resume, over a store that commits late."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

from locust_master.cluster import Cluster, Happening
from locust_master.ledger import Ledger
from locust_master.lifecycle import Lifecycle, RunState
from locust_master.losses import LossTerms
from locust_master.merging.totals import RunTotals
from locust_master.planning.goal import ClassShare, Goal
from locust_master.resuming.conditions import ObstacleKind, Wanted, away_s, obstacle, start_ns
from locust_master.resuming.keeper import RunKeeper
from locust_master.resuming.restore import restored_members, restored_run
from locust_master.run import Run, RunRecord, edited_goal
from locust_master.run_clock import RunClock
from locust_master.run_options import RunOptions
from locust_master.services.master import MasterService
from locust_master.store.facts import Written
from locust_master.store.reader import load_events, load_totals
from locust_master.store.unfinished import read_stored_run
from locust_protocol.v1 import assignment_pb2, bundle_pb2
from tests.simulation.simulated_store import BOOT_ID, Journal, LateStore
from tests.simulation.simulated_time import WALL_AHEAD_NS
from tests.simulation.virtual_loop import Machine, Process, VirtualLoop

RUN_ID = bytes(range(16))

START_LEAD_NS = 200_000_000

RESUME_WITHIN_S = 60.0


class MasterLife:
    """One life of the master, until it is killed."""

    def __init__(
        self,
        loop: VirtualLoop,
        machine: Machine,
        journal: Journal,
        chance: random.Random,
        *,
        lease_ttl_s: float,
        number: int,
    ) -> None:
        self.process = Process(loop, machine, f"master{number}")
        self.journal = journal
        self.store = LateStore(self.process, journal, chance)
        self.data_before = list(journal.user_data)
        self.cluster = self.process.run(
            lambda: Cluster(lease_ttl_s=lease_ttl_s, report_interval_s=1.0, sink=self.store)
        )
        self.keeper = RunKeeper(self.cluster)
        self._lock, self._resetting = asyncio.Lock(), asyncio.Lock()
        self._loop = loop
        self.store.cluster, self.store.keeper = self.cluster, self.keeper
        self.service = MasterService(self.cluster, None)  # type: ignore[arg-type]
        if journal.record is not None and not journal.is_finished:
            journal.write_file(folds=chance.random() < 0.5)
            self.process.run(self._resume)
        self.process.create_task(RunClock(self.cluster, self._act).run(), name="clock")
        self.process.create_task(self.keeper.run(), name="keeper")

    @property
    def run(self) -> Run | None:
        """The run, once it was started."""
        return self.cluster.run

    @property
    def has_active_run(self) -> bool:
        """True while the run has a plan to follow."""
        return self.run is not None and self.run.lifecycle.is_active

    @property
    def has_stopped(self) -> bool:
        """True when the run is over."""
        return self.cluster.state is RunState.STOPPED

    # ── what an operator wants ───────────────────────────────────────────────────────────────────────────

    def start(self, goal: Goal, *, run_time_s: float | None) -> None:
        """Starts the run; it is in the store when this returns."""

        def act() -> None:
            self.journal.start_ns = self.process.machine.clock_ns() + START_LEAD_NS
            run = _new_run(goal, start_ns=self.journal.start_ns, run_time_s=run_time_s)
            self.journal.record = run.record
            if run_time_s is not None:
                self.journal.deadline_s = self._loop.time() + START_LEAD_NS / 1e9 + run_time_s
            self.keeper.follow(run, self.store)  # type: ignore[arg-type]
            self.cluster.begin(run)
            self.keeper.look(self.process.machine.clock_ns() / 1e9)
            self.store.commit()

        self.process.run(act)

    def edit(
        self,
        *,
        users: int | None = None,
        spawn_rate: float | None = None,
        classes: tuple[ClassShare, ...] = (),
    ) -> None:
        """Moves the goal."""
        run = self.run
        if run is not None and run.lifecycle.is_active:
            goal = edited_goal(run.goal, users=users, spawn_rate=spawn_rate)
            goal = replace(goal, classes=classes or goal.classes)
            self.process.run(lambda: self.cluster.set_goal(goal, self.process.machine.clock_ns()))

    def reset(self) -> None:
        """Starts a new epoch of the statistics."""
        self.process.create_task(self._reset(), name="reset")

    def stop(self) -> None:
        """Ends the users."""
        self.process.create_task(self._stop(), name="stop")

    def kill(self) -> None:
        """SIGKILL; what is in the journal stays."""
        self.process.kill()

    # ── parts ────────────────────────────────────────────────────────────────────────────────────────────

    async def _stop(self) -> None:
        async with self._lock:
            run = self.run
            if run is not None and run.lifecycle.is_active:
                await self.keeper.wait_stop_kept(run, stop_timeout_ms=0)
                self.cluster.drain(self.process.machine.clock_ns(), stop_timeout_ms=0)

    async def _reset(self) -> None:
        async with self._resetting:
            run = self.run
            if run is None or not run.lifecycle.is_active:
                return
            await self.keeper.wait_epoch_kept(run, run.stats_epoch + 1)
            async with self._lock:
                if run.lifecycle.is_active:
                    self.cluster.reset_statistics()
                    self.keeper.look(self.process.machine.clock_ns() / 1e9)

    async def _act(self, happening: Happening, run: Run) -> None:
        if happening is Happening.DEADLINE:
            await self._stop()
        elif happening is Happening.DRAINED:
            self.store.finish()

    def _resume(self) -> None:
        """Takes the run up, as a master does before it serves anybody."""
        stored = read_stored_run(self.journal.path)
        assert stored is not None, "a start is in the store before anybody hears of it"
        now_ns = self.process.machine.clock_ns()
        now = Written((now_ns + WALL_AHEAD_NS) // 1_000_000, now_ns, BOOT_ID)
        record = self.journal.record
        assert record is not None
        wanted = Wanted(
            resume_within_s=RESUME_WITHIN_S,
            bundle_digest=record.bundle.digest,
            options=record.defaults,
            arguments=(),
        )
        found = obstacle(stored, wanted, now)
        if found is not None:
            assert found.kind is ObstacleKind.RUN_TIME_OVER
            self.journal.is_finished = True
            return
        zero_ns = start_ns(stored, now)
        assert zero_ns == self.journal.start_ns
        run = restored_run(
            stored,
            totals=load_totals(self.journal.path),
            events=load_events(self.journal.path),
            bundle=record.bundle,
            settings=record.settings,
            loss_terms=LossTerms(),
            start_ns=zero_ns,
            now_ns=now_ns,
        )
        members = restored_members(stored, start_ns=zero_ns, now_ns=now_ns, away_s=away_s(stored, now))
        self.keeper.follow(run, self.store)  # type: ignore[arg-type]
        self.cluster.resume(
            run,
            members,
            dead=[],
            generation=stored.progress.generation,
            session_id=stored.progress.session_id,
            now_ns=now_ns,
        )


def _new_run(goal: Goal, *, start_ns: int, run_time_s: float | None) -> Run:
    record = RunRecord(
        run_id=RUN_ID,
        options=RunOptions(users=goal.users, spawn_rate=goal.spawn_rate),
        settings=assignment_pb2.RunSettings(host="http://target"),
        bundle=bundle_pb2.BundleReference(digest=b"d" * 32),
        locustfile="locustfile.py",
        load_shape="",
        host="http://target",
        start_ns=start_ns,
        started_wall_ms=(start_ns + WALL_AHEAD_NS) // 1_000_000,
    )
    return Run(
        record=record,
        goal=goal,
        deadline_us=None if run_time_s is None else round(run_time_s * 1e6),
        totals=RunTotals(),
        ledger=Ledger(RUN_ID),
        lifecycle=Lifecycle(),
    )
