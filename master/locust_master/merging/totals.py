"""The merged view of a run: what all workers' reports add up to, exactly.

A report is checked as a whole and then counted as a whole, or not at all. Its samples go to the series, to
the total of all requests and to the seconds of the run; a snapshot of all that a worker contributed first
takes that contribution back. Rows show the newest epoch of the statistics; samples of closed epochs count in
`all_epochs` and in the seconds, which are of the run. What each worker contributed is not kept: 1,000 workers
would take gigabytes; a snapshot, which is rare, comes with the reports that the store has of its worker.

Pure; every time here is run time. Must never count half a report, nor give a row's number another meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from locust_master.merging.ahead import SlicePart, read_part
from locust_master.merging.arrays import MAX_TOGETHER
from locust_master.merging.counting import Counting, add_seconds
from locust_master.merging.decoding import DecodedSlice, SliceHead, decode_slice, read_head
from locust_master.merging.errors import MalformedReport, UnknownContribution
from locust_master.merging.failures import error_table, exception_table
from locust_master.merging.gathering import Place, Placed, by_second
from locust_master.merging.history import History
from locust_master.merging.naming import learn
from locust_master.merging.replacing import contribution
from locust_master.merging.seconds import SECOND_MS
from locust_master.merging.series import SeriesTable, SeriesTotals
from locust_master.merging.sums import Counts, Sums
from locust_master.merging.workers import Contribution, Dictionary, check_definitions
from locust_protocol.limits import MAX_DEALT_MS, MAX_SERIES_NAMES
from locust_protocol.v1 import report_pb2

RATE_SECONDS = 10
"""Complete seconds that a current rate is the mean of."""

HEARD_MS = 15_000
"""Milliseconds for which the users of a worker that fell silent still count: its lease, and what follows."""

SECOND_PARTS_MS = 1_000
"""Milliseconds by which a worker's report may be behind: runners send parts of a second as they come."""

TOGETHER_MS = 500
"""Milliseconds between two reports of a worker below which both waited for a connection: the later one may
have been written as long ago as the earlier."""

MAX_AHEAD_MS = 10_000
"""Milliseconds that a slice may start after it arrived; a clock that is further off is no clock."""


class RunTotals:
    """Totals of one run. `total` is over all series of requests; groups, checks and metrics are not in it."""

    def __init__(self, *, max_series: int = MAX_SERIES_NAMES) -> None:
        self.revision = 0
        self.epoch = 1
        self._counting = Counting(max_series=max_series)
        self._series, self._total = self._counting.series, self._counting.total
        self._history = self._counting.history
        self.errors = error_table()
        self.exceptions = exception_table()
        self.all_epochs = Counts()
        self._workers: dict[str, Contribution] = {}
        self._users = 0
        self._restored_end_ms = 0
        self.resumed_ms = 0
        """Run time at which the master took the run up again; current rates look at what came after that."""

    @property
    def series(self) -> SeriesTable:
        """All rows."""
        self.settle()
        return self._series

    @property
    def total(self) -> SeriesTotals:
        """The row of all requests together."""
        self.settle()
        return self._total

    @property
    def history(self) -> History:
        """The seconds of the run."""
        self.settle()
        return self._history

    # ── reports ──────────────────────────────────────────────────────────────────────────────────────────

    def apply(
        self,
        worker_key: str,
        worker_name: str,
        report: report_pb2.Report,
        *,
        at_ms: int | None = None,
        earlier: Callable[[], Iterable[report_pb2.Report]] = tuple,
        ahead: SlicePart | None = None,
    ) -> None:
        """Counts a report; with `snapshot` it replaces all that the worker contributed before.

        `at_ms` is the run time at which it arrived; without it a worker that has no samples does not move
        the watermark, and users are not noted. `earlier` gives all reports of the worker that count, in
        order; it is asked when a snapshot replaces them. `ahead` are its slices, all of them, where they were
        read already. Raises `MalformedReport` when any of it is
        malformed, and `UnknownContribution` when `earlier` is not what the worker contributed; then nothing
        is changed.
        """
        worker = self._workers.get(worker_key) or Contribution(worker_key, worker_name)
        dictionary = Dictionary() if report.snapshot else worker.dictionary
        check_definitions(dictionary, report)
        slices = [read_head(message) for message in report.slices]
        for each in slices:
            if each.stats_epoch > self.epoch:
                raise MalformedReport(f"epoch {each.stats_epoch} has not begun, the newest is {self.epoch}")
        batches = [ahead] if ahead is not None else [_read(batch) for batch in _batches(report.slices)]
        replaced = self._contributed(worker, earlier) if report.snapshot else {}
        self.revision += 1
        self._workers[worker_key] = worker
        worker.name = worker_name
        if report.snapshot:
            self._withdraw(worker, replaced)
            worker.dictionary = dictionary
        learn(worker.dictionary, report, self._series, self.errors, self.exceptions)
        for heads, batch in zip(_batches(slices), batches, strict=True):
            self._count(worker, heads, batch, is_snapshot=report.snapshot, at_ms=at_ms)
        self._note_progress(worker, report, slices, at_ms)

    def settle(self) -> None:
        """Counts what was gathered; whoever looks at rows or seconds does so first."""
        self._counting.settle(epoch=self.epoch, revision=self.revision)

    @contextmanager
    def held(self) -> Iterator[Callable[[], bool]]:
        """Lets somebody look at all rows bit by bit: what comes meanwhile waits.

        Gives a function that says whether rows are still as they were: whoever else looks settles them.
        """
        self.settle()
        counting, changes = self._counting, self._counting.changes
        counting.is_held = True
        try:
            yield lambda: counting.changes == changes
        finally:
            counting.is_held = False

    def begin_epoch(self, epoch: int) -> None:
        """Shows samples of `epoch` and later from now on: a reset of the statistics."""
        if epoch <= self.epoch:
            return
        self.settle()
        self.revision += 1
        self.epoch = epoch
        for row in self._series:
            row.clear(self.revision)
        self._total.clear(self.revision)
        self.errors.clear(self.revision)
        self.exceptions.clear(self.revision)
        self._history.begin_totals()

    def expect(self, worker_key: str, worker_name: str, *, at_ms: int) -> None:
        """Waits for what a worker reports from now on: until then no later second is complete."""
        if worker_key not in self._workers:
            worker = self._workers[worker_key] = Contribution(worker_key, worker_name)
            worker.reported_ms = worker.heard_ms = at_ms

    def release(self, worker_key: str) -> None:
        """Waits for nothing more of a worker, until it reports again."""
        if (worker := self._workers.get(worker_key)) is not None:
            worker.is_gone = True

    def knows_second(self, at_ms: int) -> bool:
        """True when something is known of the second of a moment."""
        return self._history.has(at_ms)

    def note_planned(self, at_ms: int, users: int) -> None:
        """Notes how many users the plan wants at a moment."""
        self._history.note_planned(at_ms, users, revision=self.revision)

    def restore_seconds(self, each: DecodedSlice, numbers: Mapping[int, int]) -> None:
        """Takes a stored slice, whose sums are known already, into the seconds; `numbers` translates."""
        together = Sums()
        for stored, sums in each.rows:
            row = self._series.row(numbers[stored])
            if row.key.kind == report_pb2.SERIES_KIND_REQUEST:
                together.add(sums)
            if each.stats_epoch == self.epoch:
                add_seconds(row, each.start_ms, each.width_ms, sums.requests, sums.failures)
        self._history.add(each.start_ms, each.width_ms, together, revision=self.revision)
        if each.stats_epoch == self.epoch:
            add_seconds(self._total, each.start_ms, each.width_ms, together.requests, together.failures)
        self._restored_end_ms = max(self._restored_end_ms, each.end_ms)

    # ── figures ──────────────────────────────────────────────────────────────────────────────────────────

    @property
    def failure_count(self) -> int:
        """Failed requests of the epoch that is shown."""
        return self.total.sums.failures

    @property
    def exception_count(self) -> int:
        """Exceptions of user code in the epoch that is shown."""
        return self.exceptions.total

    @property
    def interrupted_count(self) -> int:
        """Requests that stops cut off, in all epochs: the target may have counted them."""
        return self.all_epochs.interrupted

    @property
    def worker_names(self) -> Mapping[str, str]:
        """Names of all workers that ever reported, by key."""
        return {worker.key: worker.name for worker in self._workers.values()}

    def complete_until_ms(self, live_worker_keys: Collection[str] | None = None) -> int:
        """Run time up to which every one of these workers has reported, a whole second; None means all.

        Of all, those that were released hold nothing up, nor do workers that sent their final report, or
        none at all. With nobody left it is the end of the last slice.
        """
        known = [
            worker.reported_ms
            for worker in self._workers.values()
            if not worker.is_final
            and (not worker.is_gone if live_worker_keys is None else worker.key in live_worker_keys)
        ]
        until_ms = min(known) if known else self.newest_end_ms
        return until_ms - until_ms % SECOND_MS

    @property
    def newest_end_ms(self) -> int:
        """End of the newest slice of any worker."""
        return max([self._restored_end_ms, *(worker.newest_end_ms for worker in self._workers.values())])

    def current_rates(self, row: SeriesTotals, complete_until_ms: int) -> tuple[float, float]:
        """Requests and failures per second of a row over the last complete seconds, at most ten."""
        first_s = self._window_start_s(complete_until_ms)
        end_s = complete_until_ms // SECOND_MS
        if end_s <= first_s:
            return 0.0, 0.0
        requests, failures = row.recent.sums(first_s, end_s)
        return requests / (end_s - first_s), failures / (end_s - first_s)

    def worker_rate(self, worker_key: str, complete_until_ms: int) -> float:
        """Requests per second of a worker over the last complete seconds, at most ten."""
        worker = self._workers.get(worker_key)
        first_s, end_s = self._window_start_s(complete_until_ms), complete_until_ms // SECOND_MS
        if worker is None or end_s <= first_s:
            return 0.0
        return worker.recent.sums(first_s, end_s)[0] / (end_s - first_s)

    def total_rates(self, row: SeriesTotals) -> tuple[float, float]:
        """Requests and failures per second of a row over the time that all requests together took."""
        first_ms, last_ms = self._total.first_ms, self._total.last_ms
        if first_ms is None or last_ms is None or last_ms <= first_ms:
            return 0.0, 0.0
        seconds = (last_ms - first_ms) / SECOND_MS
        return row.sums.requests / seconds, row.sums.failures / seconds

    def _window_start_s(self, complete_until_ms: int) -> int:
        first_ms = self._total.first_ms or 0
        end_s = complete_until_ms // SECOND_MS
        # Of the time in which the master was away nothing is said: who ran then may be gone.
        resumed_s = -(-self.resumed_ms // SECOND_MS)
        first_s = max(end_s - RATE_SECONDS, first_ms // SECOND_MS, 0)
        return max(first_s, resumed_s) if resumed_s < end_s else first_s

    # ── parts ────────────────────────────────────────────────────────────────────────────────────────────

    def _count(
        self,
        worker: Contribution,
        heads: Sequence[SliceHead],
        batch: SlicePart | Sequence[DecodedSlice],
        *,
        is_snapshot: bool,
        at_ms: int | None,
    ) -> None:
        placed = []
        for head in heads:
            is_of_seconds = not is_snapshot and _is_of_seconds(head, at_ms)
            last_ms = self._last_ms(head, is_of_seconds=is_of_seconds, at_ms=at_ms)
            place = Place(head.stats_epoch, head.start_ms, head.width_ms, is_of_seconds)
            placed.append(Placed(place, last_ms, self.revision))
            if head.stats_epoch == self.epoch:
                self._count_errors(worker, head, last_ms)
        counted = self._counting.add(placed, batch, worker.dictionary, epoch=self.epoch)
        worker.has_rows = worker.has_rows or isinstance(batch, SlicePart) or any(each.rows for each in batch)
        for (place, *_), counts in zip(placed, counted, strict=True):
            worker.counts.add(counts)
            self.all_epochs.add(counts)
            if place.is_of_seconds:
                for part in by_second(place.start_ms, place.width_ms, counts.requests, counts.failures):
                    worker.recent.add(*part)

    def _count_errors(self, worker: Contribution, each: SliceHead, last_ms: int) -> None:
        known, span = worker.dictionary, (each.start_ms, last_ms)
        for table, numbers, counts in (
            (self.errors, known.errors, each.errors),
            (self.exceptions, known.exceptions, each.exceptions),
        ):
            for theirs, count in counts:
                table.add(numbers[theirs], count, worker=worker.key, span_ms=span, revision=self.revision)

    def _last_ms(self, each: SliceHead, *, is_of_seconds: bool, at_ms: int | None) -> int:
        """Latest moment at which a sample of the slice can have been taken."""
        if at_ms is not None:
            return max(each.start_ms, min(each.end_ms, at_ms))
        if is_of_seconds:
            return each.end_ms
        # The slice spans the whole run, rounded up.
        return max(each.start_ms, min(each.end_ms, max(self.newest_end_ms, each.start_ms + SECOND_MS)))

    def _note_progress(
        self,
        worker: Contribution,
        report: report_pb2.Report,
        slices: list[SliceHead],
        at_ms: int | None,
    ) -> None:
        worker.is_final, worker.is_gone = report.final, False
        placed = [each for each in slices if not report.snapshot and _is_of_seconds(each, at_ms)]
        if placed:
            worker.reported_ms = max(worker.reported_ms, *(each.start_ms for each in placed))
            worker.newest_end_ms = max(worker.newest_end_ms, *(each.end_ms for each in placed))
        elif at_ms is not None and at_ms - worker.heard_ms >= TOGETHER_MS:
            # What is frozen after an acknowledgement is complete up to that; this one may have waited.
            heard_ms = worker.heard_ms
            worker.reported_ms = max(worker.reported_ms, heard_ms - heard_ms % SECOND_MS - SECOND_PARTS_MS)
        if at_ms is not None:
            worker.heard_ms = max(worker.heard_ms, at_ms)
        if at_ms is not None and report.HasField("status"):
            self._note_users(worker, sum(count.running for count in report.status.users), at_ms)

    def _note_users(self, worker: Contribution, users: int, at_ms: int) -> None:
        self._users += users - worker.users
        worker.users = users
        if not self._history.has(at_ms):
            for other in self._workers.values():
                if at_ms - other.heard_ms > HEARD_MS:
                    other.users = 0
            self._users = sum(other.users for other in self._workers.values())
        self._history.note_users(at_ms, self._users, revision=self.revision)

    def _contributed(
        self, worker: Contribution, earlier: Callable[[], Iterable[report_pb2.Report]]
    ) -> dict[int, Sums]:
        if not worker.has_rows:
            return {}
        found = contribution(earlier(), self._series, self.errors, self.exceptions, epoch=self.epoch)
        if found.counts != worker.counts:
            raise UnknownContribution(
                f"{worker.counts.requests} requests of {worker.name} count, {found.counts.requests} are known"
            )
        return found.by_row

    def _withdraw(self, worker: Contribution, contributed: Mapping[int, Sums]) -> None:
        """Takes back all that a worker contributed."""
        self.settle()
        for number, sums in contributed.items():
            row = self._series.row(number)
            row.sums.subtract(sums)
            row.touch(self.revision)
            if row.key.kind == report_pb2.SERIES_KIND_REQUEST:
                self._total.sums.subtract(sums)
        self._total.touch(self.revision)
        self.errors.withdraw(worker=worker.key, revision=self.revision)
        self.exceptions.withdraw(worker=worker.key, revision=self.revision)
        self.all_epochs.add(worker.counts, sign=-1)
        worker.counts = Counts()


def _read(slices: Sequence[report_pb2.Slice]) -> SlicePart | Sequence[DecodedSlice]:
    return read_part(slices) or [decode_slice(message) for message in slices]


def _is_of_seconds(each: SliceHead, at_ms: int | None) -> bool:
    """True when a slice says in which seconds its samples were; else it is a sum, or its clock is broken."""
    return each.width_ms <= MAX_DEALT_MS and (at_ms is None or each.start_ms <= at_ms + MAX_AHEAD_MS)


_Item = TypeVar("_Item")


def _batches(slices: Sequence[_Item]) -> list[Sequence[_Item]]:
    return [slices[first : first + MAX_TOGETHER] for first in range(0, len(slices), MAX_TOGETHER)]
