"""The master's store as the cluster and the keeper know it: it commits late, may stall, and survives a crash.

What is committed is kept in memory until a master takes the run up: only then is it written to a real file of
the store, by the code that a master writes with, and read back from there. How SQLite survives a crash is not
simulated.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from locust_master.cluster import Cluster
from locust_master.membership import Member
from locust_master.resuming.keeper import RunKeeper
from locust_master.run import RunRecord
from locust_master.store.facts import Facts, Written
from locust_master.store.run_file import RunFile, StoredReport
from locust_protocol.v1 import report_pb2, snapshot_pb2
from tests.simulation.simulated_time import WALL_AHEAD_NS
from tests.simulation.virtual_loop import Process

MAX_COMMIT_S = 0.08
"""Seconds until the store has what it was given, at most; a commit takes all that waits."""

STALL_LOOK_S = 0.05
"""Seconds after which a store that stalls is tried again."""

BOOT_ID = "simulated"


@dataclass
class Batch:
    """What one commit writes."""

    reports: list[StoredReport] = field(default_factory=list)
    events: list[snapshot_pb2.RunEvent] = field(default_factory=list)
    facts: list[Facts] = field(default_factory=list)
    written: Written = field(default_factory=lambda: Written(0, 0, BOOT_ID))
    user_data: list[int] = field(default_factory=list)
    done: list[Callable[[], None]] = field(default_factory=list)


@dataclass
class Journal:
    """What is on disk: it is there for the next life of the master."""

    folder: Path
    batches: list[Batch] = field(default_factory=list)
    """Commits that are not in the file yet."""
    reports: list[StoredReport] = field(default_factory=list)
    """All reports that were ever committed."""
    record: RunRecord | None = None
    start_ns: int = 0
    deadline_s: float | None = None
    """True time at which the run time is over."""
    is_finished: bool = False
    """The run has ended, or is not to be taken up."""
    user_data: list[int] = field(default_factory=list)
    """Data of listeners that lives before this one took, as far as their reports were stored."""

    @property
    def path(self) -> Path:
        """The run's file."""
        return self.folder / "run.sqlite"

    def write_file(self, *, folds: bool) -> None:
        """Brings the file up to date, as the master would have left it."""
        assert self.record is not None
        is_new = not self.path.exists()
        file = (
            RunFile.create(self.path, self.record, owner="")
            if is_new
            else RunFile.reopen(self.path, owner="")
        )
        batches, self.batches = self.batches, []
        for batch in batches:
            file.write(batch.reports, batch.events, batch.facts, written=batch.written)
        if folds:
            file.fold()
        file.close()


class LateStore:
    """The cluster's sink and the keeper's writer: commits later, and only while its process lives."""

    def __init__(self, process: Process, journal: Journal, chance: random.Random) -> None:
        self.cluster: Cluster | None = None
        self.keeper: RunKeeper | None = None
        self.is_stalled = False
        self.taken: list[int] = []
        self._process = process
        self._journal = journal
        self._chance = chance
        self._batch = Batch()
        self._is_asked = False
        self._extras: list[int] = []

    # ── what the cluster tells ───────────────────────────────────────────────────────────────────────────

    def store_report(
        self, worker_uid: bytes, sequence: int, payload: bytes, on_stored: Callable[[], None]
    ) -> None:
        assert self.keeper is not None
        assert self._journal.record is not None
        self.keeper.look_at_losses()
        at_ms = max(0, (self._process.machine.clock_ns() - self._journal.record.start_ns) // 1_000_000)
        self._batch.reports.append(StoredReport(worker_uid, sequence, payload, at_ms))
        self._batch.user_data += self._extras
        self._extras = []
        self._batch.done.append(on_stored)
        self._ask()

    def stored_reports(self, worker_uid: bytes) -> list[report_pb2.Report]:
        handed_in = [*self._journal.reports, *self._batch.reports]
        payloads = [each.payload for each in handed_in if each.worker_uid == worker_uid]
        return [report_pb2.Report.FromString(payload) for payload in payloads]

    def take_extras(self, member: Member, report: report_pb2.Report) -> None:
        self._extras = [data.data.int_value for data in report.user_data]
        self.taken += self._extras
        run = self.cluster.run if self.cluster is not None else None
        for event in report.events:
            if run is not None and run.stopped_us is None:
                is_fence = event.kind == report_pb2.WORKER_EVENT_KIND_FENCED
                kind = snapshot_pb2.RUN_EVENT_KIND_FENCED if is_fence else snapshot_pb2.RUN_EVENT_KIND_RUNNER
                run.note_worker_event(
                    member.name, kind, event.text, maybe_lost_ms=event.maybe_lost_ms, at_ms=event.at_ms
                )

    def worker_connected(self, member: Member) -> None:
        """There is no user code to tell."""

    # ── what the keeper writes ───────────────────────────────────────────────────────────────────────────

    def add_event(self, event: snapshot_pb2.RunEvent) -> None:
        self._batch.events.append(event)
        self._ask()

    def add_facts(self, facts: Facts, done: Callable[[], None] | None = None) -> None:
        self._batch.facts.append(facts)
        if done is not None:
            self._batch.done.append(done)
        self._ask()

    async def wait_facts(self, facts: Facts) -> None:
        done = asyncio.Event()
        self._batch.done.append(done.set)
        self.add_facts(facts)
        await done.wait()

    def finish(self) -> None:
        """Writes that the run has ended."""

        def done() -> None:
            self._journal.is_finished = True

        self._batch.done.append(done)
        self._ask()

    # ── the disk ─────────────────────────────────────────────────────────────────────────────────────────

    def commit(self) -> None:
        """Writes all that waits, unless the disk stalls: then a little later."""
        if self.is_stalled:
            self._process.call_later(STALL_LOOK_S, self.commit)
            return
        self._is_asked = False
        batch, self._batch = self._batch, Batch()
        now_ns = self._process.machine.clock_ns()
        batch.written = Written((now_ns + WALL_AHEAD_NS) // 1_000_000, now_ns, BOOT_ID)
        self._journal.batches.append(batch)
        self._journal.reports += batch.reports
        self._journal.user_data += batch.user_data
        for done in batch.done:
            done()

    def _ask(self) -> None:
        if not self._is_asked:
            self._is_asked = True
            self._process.call_later(self._chance.uniform(0, MAX_COMMIT_S), self.commit)
