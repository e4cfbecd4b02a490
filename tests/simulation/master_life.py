"""A master: real cluster, service and clock, over a store that commits late and survives a crash."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from locust_master.cluster import Cluster, Happening
from locust_master.ledger import Ledger
from locust_master.lifecycle import Lifecycle, RunState, RunTrigger
from locust_master.membership import Member
from locust_master.merging.totals import RunTotals
from locust_master.planning.goal import Goal
from locust_master.planning.plan import PlanBasis
from locust_master.run import Run, RunRecord, edited_goal
from locust_master.run_clock import RunClock
from locust_master.run_options import RunOptions
from locust_master.services.master import MasterService
from locust_protocol.v1 import assignment_pb2, bundle_pb2, master_service_pb2, report_pb2
from tests.simulation.virtual_loop import Machine, Process, VirtualLoop

RUN_ID = bytes(range(16))

START_LEAD_NS = 200_000_000

MAX_COMMIT_S = 0.08
"""Seconds until the store has what it was given, at most; a commit takes all that waits."""


@dataclass(frozen=True)
class StoredReport:
    """A report as it is on disk."""

    worker: bytes
    name: str
    at_ms: int
    payload: bytes


@dataclass
class Journal:
    """What is on disk: it is there for the next life of the master."""

    reports: list[StoredReport | int] = field(default_factory=list)
    """In order; a number is the epoch that begins there."""
    basis: PlanBasis | None = None
    goal: Goal | None = None
    start_ns: int = 0
    deadline_us: int | None = None
    stop_requested_us: int | None = None
    workers: dict[bytes, master_service_pb2.RegisterRequest] = field(default_factory=dict)
    """Who is in the cluster."""
    losses: list[object] = field(default_factory=list)
    user_data: list[int] = field(default_factory=list)
    """Data of listeners that lives before this one took, as far as their reports were stored."""


class LateStore:
    """The cluster's sink: commits later, and only while its process lives."""

    def __init__(self, process: Process, journal: Journal, chance: random.Random) -> None:
        self.cluster: Cluster | None = None
        self.is_stalled = False
        self.taken: list[int] = []
        self._process = process
        self._journal = journal
        self._chance = chance
        self._waiting: list[tuple[StoredReport, list[int], Callable[[], None]]] = []
        self._is_asked = False
        self._extras: list[int] = []

    def store_report(
        self, worker_uid: bytes, sequence: int, payload: bytes, on_stored: Callable[[], None]
    ) -> None:
        assert self.cluster is not None
        assert self.cluster.run is not None
        member = self.cluster.membership.by_uid(worker_uid)
        assert member is not None
        at_ms = self.cluster.run.now_us(self._process.machine.clock_ns()) // 1_000
        self._waiting.append((StoredReport(worker_uid, member.name, at_ms, payload), self._extras, on_stored))
        self._extras = []
        if not self._is_asked:
            self._is_asked = True
            self._process.call_later(self._chance.uniform(0, MAX_COMMIT_S), self._commit)

    def stored_reports(self, worker_uid: bytes) -> list[report_pb2.Report]:
        written = [each for each in self._journal.reports if isinstance(each, StoredReport)]
        handed_in = [*written, *(stored for stored, _, _ in self._waiting)]
        return [report_pb2.Report.FromString(each.payload) for each in handed_in if each.worker == worker_uid]

    def take_extras(self, member: Member, report: report_pb2.Report) -> None:
        self._extras = [data.data.int_value for data in report.user_data]
        self.taken += self._extras
        run = self.cluster.run if self.cluster is not None else None
        for event in report.events:
            if run is not None and run.stopped_us is None:
                run.note_worker_event(
                    member.name, 0, event.text, maybe_lost_ms=event.maybe_lost_ms, at_ms=event.at_ms
                )

    def worker_connected(self, member: Member) -> None:
        request = master_service_pb2.RegisterRequest()
        request.CopyFrom(member.request)
        request.resume_token = member.resume_token
        self._journal.workers[member.uid] = request

    def _commit(self) -> None:
        if self.is_stalled:
            self._process.call_later(MAX_COMMIT_S, self._commit)
            return
        self._is_asked = False
        waiting, self._waiting = self._waiting, []
        for stored, extras, on_stored in waiting:
            self._journal.reports.append(stored)
            self._journal.user_data += extras
            on_stored()


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
        self.store.cluster = self.cluster
        self.service = MasterService(self.cluster, None)  # type: ignore[arg-type]
        if journal.basis is not None:
            self.process.run(self._resume)
        self.process.create_task(RunClock(self.cluster, self._act).run(), name="clock")

    @property
    def run(self) -> Run | None:
        """The run, once it was started."""
        return self.cluster.run

    @property
    def has_stopped(self) -> bool:
        """True when the run is over."""
        return self.cluster.state is RunState.STOPPED

    # ── what an operator wants ───────────────────────────────────────────────────────────────────────────

    def start(self, goal: Goal, *, run_time_s: float | None) -> None:
        """Starts the run."""

        def act() -> None:
            self.journal.goal = goal
            self.journal.start_ns = self.process.machine.clock_ns() + START_LEAD_NS
            self.journal.deadline_us = None if run_time_s is None else round(run_time_s * 1e6)
            run = self._make_run(goal)
            run.on_planned = self._note_basis
            self.cluster.begin(run)

        self.process.run(act)

    def edit(self, *, users: int | None = None, spawn_rate: float | None = None) -> None:
        """Moves the goal."""
        run = self.run
        if run is not None and run.lifecycle.is_active:
            goal = edited_goal(run.goal, users=users, spawn_rate=spawn_rate)
            self.process.run(lambda: self.cluster.set_goal(goal, self.process.machine.clock_ns()))

    def reset(self) -> None:
        """Starts a new epoch of the statistics."""
        if self.run is not None and self.run.lifecycle.is_active:
            # On disk before anybody hears of it: a report of an epoch that is not known would be malformed.
            self.journal.reports.append(self.run.stats_epoch + 1)
            self.process.run(self.cluster.reset_statistics)

    def stop(self) -> None:
        """Ends the users."""
        if self.run is not None and self.run.lifecycle.is_active:
            self.process.run(lambda: self.cluster.drain(self.process.machine.clock_ns(), stop_timeout_ms=0))
            self.journal.stop_requested_us = self.run.stop_requested_us

    def kill(self) -> None:
        """SIGKILL; what is in the journal stays."""
        if self.run is not None:
            self.journal.losses = list(self.run.losses)
        self.process.kill()

    # ── parts ────────────────────────────────────────────────────────────────────────────────────────────

    async def _act(self, happening: Happening, run: Run) -> None:
        if happening is Happening.DEADLINE:
            self.stop()

    def _note_basis(self, basis: PlanBasis) -> None:
        self.journal.basis = basis

    def _make_run(self, goal: Goal) -> Run:
        record = RunRecord(
            run_id=RUN_ID,
            options=RunOptions(users=goal.users, spawn_rate=goal.spawn_rate),
            settings=assignment_pb2.RunSettings(host="http://target"),
            bundle=bundle_pb2.BundleReference(digest=b"d" * 32),
            locustfile="locustfile.py",
            load_shape="",
            host="http://target",
            start_ns=self.journal.start_ns,
            started_wall_ms=0,
        )
        return Run(
            record=record,
            goal=goal,
            deadline_us=self.journal.deadline_us,
            totals=RunTotals(),
            ledger=Ledger(RUN_ID),
            lifecycle=Lifecycle(),
        )

    def _resume(self) -> None:
        """Takes the run up where the journal left it; who was in the cluster holds its share for a lease."""
        basis, now_ns = self.journal.basis, self.process.machine.clock_ns()
        assert basis is not None
        run = self._make_run(basis.goal)
        run.lifecycle.apply(RunTrigger.START)
        run.follow(basis)
        run.on_planned = self._note_basis
        run.losses = list(self.journal.losses)  # type: ignore[arg-type]
        counted: dict[bytes, list[report_pb2.Report]] = {}
        for stored in self.journal.reports:
            if isinstance(stored, int):
                run.stats_epoch = stored
                run.totals.begin_epoch(stored)
                continue
            report = report_pb2.Report.FromString(stored.payload)
            before = counted.setdefault(stored.worker, [])
            run.totals.apply(
                stored.worker.hex(), stored.name, report, at_ms=stored.at_ms, earlier=partial(list, before)
            )
            before.append(report)
            run.ledger.note_applied(stored.worker, report.sequence, is_final=report.final)
            run.ledger.note_stored(stored.worker, report.sequence)
        if self.journal.stop_requested_us is not None:
            run.lifecycle.apply(RunTrigger.STOP)
            run.stop_requested_us = self.journal.stop_requested_us
        for key in basis.workers:
            request = self.journal.workers[bytes.fromhex(key.worker)]
            self.cluster.membership.admit(request, address="", now_s=now_ns / 1e9)
        self.cluster.run = run
