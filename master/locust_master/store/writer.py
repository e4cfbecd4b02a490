"""Writes the run as it goes, beside the event loop: a report may be acknowledged once it is committed here.

One thread owns the file. Reports that come close together share a commit, so that many workers cost one; the
loop is told afterwards and never waits for the disk. When the disk fails, the run goes on without a store:
reports are acknowledged all the same, `failed` says why, and a warning says so once.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from locust_master.interpreter import step_back
from locust_master.run import Run, RunRecord
from locust_master.run_summary import recorded_summary
from locust_master.snapshot import DEFAULT_QUANTILES, series_row
from locust_master.store.boot import now_written
from locust_master.store.facts import Facts
from locust_master.store.run_dir import file_name, lock_run_dir, owner_token
from locust_master.store.run_file import Ending, RunFile, StoredReport
from locust_protocol.v1 import control_service_pb2, report_pb2, snapshot_pb2

__all__ = ["RunWriter", "lock_run_dir"]

logger = logging.getLogger(__name__)

GROUP_S = 0.1
"""Seconds that a commit waits for company: short beside the second between two reports of a worker. The
thread sleeps meanwhile: to wake for each of 300 reports a second would take the loop's turn as often."""

MAX_GROUP = 1_000
"""Reports in one commit."""

RECALL_TIMEOUT_S = 5.0
"""Seconds that the loop waits for what the file has of a worker; a fold may be under way."""

FOLD_EVERY_S = 10.0
"""Seconds between two folds of the journal, at least."""

MAX_FOLDED = 60
"""Reports that one fold takes, about: while it computes, some 0.1 s, the loop runs at half its speed."""

FOLD_SHARE = 15
"""A fold that took t seconds is followed by `FOLD_SHARE` times t without one: 1,000 workers take long."""


@dataclass(frozen=True, slots=True)
class _Report:
    stored: StoredReport
    on_stored: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Finish:
    ending: Ending
    done: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Facts:
    facts: Facts
    done: Callable[[], None] | None


@dataclass(frozen=True, slots=True)
class _Recall:
    worker_uid: bytes
    answer: Future[list[report_pb2.Report]]


class _Close:
    pass


_Wish = _Report | snapshot_pb2.RunEvent | _Facts | _Finish | _Recall | _Close


@dataclass(slots=True)
class _Batch:
    reports: list[_Report] = field(default_factory=list)
    events: list[snapshot_pb2.RunEvent] = field(default_factory=list)
    facts: list[_Facts] = field(default_factory=list)
    finishes: list[_Finish] = field(default_factory=list)
    recalls: list[_Recall] = field(default_factory=list)
    is_last: bool = False

    def take(self, wish: _Wish) -> bool:
        """Takes a wish; True when the batch should not wait for more."""
        if isinstance(wish, _Report):
            self.reports.append(wish)
        elif isinstance(wish, _Facts):
            self.facts.append(wish)
        elif isinstance(wish, _Finish):
            self.finishes.append(wish)
        elif isinstance(wish, _Recall):
            self.recalls.append(wish)
        elif isinstance(wish, _Close):
            self.is_last = True
        else:
            self.events.append(wish)
        return _is_awaited(wish) or len(self.reports) >= MAX_GROUP

    def callbacks(self) -> list[Callable[[], None]]:
        """Who is to be told that all of it is written, or cannot be."""
        return [
            *(each.on_stored for each in self.reports),
            *(each.done for each in self.facts if each.done is not None),
            *(each.done for each in self.finishes),
        ]


def _is_awaited(wish: _Wish) -> bool:
    """True when somebody waits for it, and so it does not wait for company."""
    if isinstance(wish, _Facts):
        return wish.done is not None
    return isinstance(wish, _Finish | _Recall | _Close)


class RunWriter:
    """The store of one run. For the loop that created it."""

    def __init__(self, path: Path, record: RunRecord, *, open_file: Callable[[], RunFile]) -> None:
        self.path = path
        self.failed = ""
        self._record = record
        self._open_file = open_file
        self._loop = asyncio.get_running_loop()
        self._wishes: queue.SimpleQueue[_Wish] = queue.SimpleQueue()
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name="run-store", daemon=True)

    @classmethod
    def create(cls, run_dir: Path, record: RunRecord) -> RunWriter:
        """Starts writing a run; the file is made by the thread, so a bad disk shows in `failed`, soon."""
        path = run_dir / file_name(started_wall_ms=record.started_wall_ms, run_id=record.run_id)
        owner = owner_token(run_dir)
        writer = cls(path, record, open_file=partial(RunFile.create, path, record, owner=owner))
        writer._thread.start()
        return writer

    @classmethod
    def resume(cls, path: Path, record: RunRecord) -> RunWriter:
        """Goes on writing a run whose master died."""
        owner = owner_token(path.parent)
        writer = cls(path, record, open_file=partial(RunFile.reopen, path, owner=owner))
        writer._thread.start()
        return writer

    def append(self, worker_uid: bytes, sequence: int, payload: bytes, on_stored: Callable[[], None]) -> None:
        """Writes a report; `on_stored` is called on the loop when it is committed, or cannot be."""
        at_ms = max(0, (time.monotonic_ns() - self._record.start_ns) // 1_000_000)
        self._put(_Report(StoredReport(worker_uid, sequence, payload, at_ms), on_stored))

    def reports_of(self, worker_uid: bytes) -> Sequence[report_pb2.Report]:
        """Returns all reports of a worker that were handed in, folded or not; nothing when the disk fails.

        The loop waits for it: a snapshot, which asks for this, comes after a double fault and no other time.
        """
        recall = _Recall(worker_uid, Future())
        self._put(recall)
        try:
            return recall.answer.result(RECALL_TIMEOUT_S)
        except TimeoutError:
            return ()

    def add_event(self, event: snapshot_pb2.RunEvent) -> None:
        """Writes an event."""
        self._put(event)

    def add_facts(self, facts: Facts, done: Callable[[], None] | None = None) -> None:
        """Writes facts, in the order in which they come, reports included; at once when `done` is waited for.

        `done` is called on the loop when they are in the file, or cannot be.
        """
        self._put(_Facts(facts, done))

    async def wait_facts(self, facts: Facts) -> None:
        """Writes facts at once; waits until they, and all that came before, are in the file, or cannot be."""
        done = asyncio.Event()
        self._put(_Facts(facts, done.set))
        await done.wait()

    async def finish(self, run: Run) -> None:
        """Writes how the run ended; waits until all of it is in the file. Late reports may still follow."""
        totals = run.totals
        ending = Ending(
            outcome=(
                control_service_pb2.RUN_OUTCOME_DEGRADED
                if run.losses
                else control_service_pb2.RUN_OUTCOME_COMPLETED
            ),
            summary=recorded_summary(run, now_ns=time.monotonic_ns()),
            total=series_row(
                totals,
                totals.total,
                quantiles=DEFAULT_QUANTILES,
                complete_until_ms=totals.complete_until_ms(),
            ),
            worker_names={bytes.fromhex(key): name for key, name in totals.worker_names.items()},
        )
        done = asyncio.Event()
        self._put(_Finish(ending, done.set))
        await done.wait()

    async def close(self) -> None:
        """Writes what is left and ends the thread."""
        self._put(_Close())
        await asyncio.to_thread(self._thread.join)

    def _put(self, wish: _Wish) -> None:
        self._wishes.put(wish)
        if _is_awaited(wish):
            self._hurry.set()

    # ── in the thread ────────────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        step_back()
        file = self._guarded(self._open_file)
        fold_at_s = time.monotonic() + FOLD_EVERY_S
        is_last = False
        while not is_last:
            batch = self._gather()
            is_last = batch.is_last
            if file is not None and not self.failed:
                self._guarded(partial(self._write, file, batch))
            self._answer(file, batch.recalls)
            self._tell(batch.callbacks())
            started_s = time.monotonic()
            if file is not None and not self.failed and started_s >= fold_at_s:
                self._guarded(partial(file.fold, max_reports=MAX_FOLDED))
                ended_s = time.monotonic()
                least_s = 0.0 if file.has_unfolded else FOLD_EVERY_S
                fold_at_s = ended_s + max(least_s, FOLD_SHARE * (ended_s - started_s))
        if file is not None:
            self._guarded(file.close)

    def _gather(self) -> _Batch:
        """Waits for a wish, and a little for others."""
        batch = _Batch()
        is_full = batch.take(self._wishes.get())
        if not is_full:
            self._hurry.wait(GROUP_S)
        self._hurry.clear()
        while not is_full:
            try:
                is_full = batch.take(self._wishes.get_nowait())
            except queue.Empty:
                break
        return batch

    def _answer(self, file: RunFile | None, recalls: Sequence[_Recall]) -> None:
        for each in recalls:
            try:
                each.answer.set_result([] if file is None else file.reports_of(each.worker_uid))
            except sqlite3.Error as error:
                logger.warning("the run store cannot be read file=%s error=%s", self.path, error)
                each.answer.set_result([])

    def _write(self, file: RunFile, batch: _Batch) -> None:
        file.write(
            [each.stored for each in batch.reports],
            batch.events,
            [each.facts for each in batch.facts],
            written=now_written(),
        )
        for each in batch.finishes:
            file.finish(each.ending)

    def _guarded(self, act: Callable[[], RunFile | None]) -> RunFile | None:
        """Does something with the file; whatever goes wrong ends the store, never the run."""
        try:
            return act()
        except Exception as error:
            self.failed = str(error) or type(error).__name__
            logger.warning(
                "the run store fails, the run goes on without it file=%s error=%s",
                self.path,
                self.failed,
                exc_info=None if isinstance(error, OSError) else error,
            )
            return None

    def _tell(self, callbacks: Sequence[Callable[[], None]]) -> None:
        """Calls back on the loop, unless that has ended."""

        def call() -> None:
            for callback in callbacks:
                callback()

        if callbacks and not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(call)
            except RuntimeError:
                logger.debug("the loop ended before %d reports were acknowledged", len(callbacks))
