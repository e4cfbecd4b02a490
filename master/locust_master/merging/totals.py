"""The merged view of a run: what all workers' reports add up to, exactly.

A report is checked as a whole and then counted as a whole, or not at all. Its samples go to the series, to
the total of all requests, to the seconds of the run, and to what this worker contributed; a snapshot first
takes that contribution back. Rows show the newest epoch of the statistics; samples of closed epochs count in
`all_epochs` and in the seconds, which are of the run.

Pure; every time here is run time. Must never count half a report, nor give a row's number another meaning.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from locust_master.merging import workers
from locust_master.merging.decoding import DecodedSlice, decode_slice
from locust_master.merging.errors import MalformedReport
from locust_master.merging.failures import error_key, error_table, exception_key, exception_table
from locust_master.merging.history import MAX_DEALT_MS, History
from locust_master.merging.seconds import SECOND_MS, dealt
from locust_master.merging.series import OTHER_ID, SeriesKey, SeriesTable, SeriesTotals, labels_of, series_key
from locust_master.merging.sums import Counts, Sums
from locust_master.merging.workers import Contribution, Dictionary, check_definitions
from locust_protocol.limits import MAX_SERIES_NAMES
from locust_protocol.v1 import report_pb2

RATE_SECONDS = 10
"""Complete seconds that a current rate is the mean of."""

HEARD_MS = 15_000
"""Milliseconds for which the users of a worker that fell silent still count: its lease, and what follows."""

SECOND_PARTS_MS = 1_000
"""Milliseconds by which a worker's report may be behind: runners send parts of a second as they come."""

MAX_AHEAD_MS = 10_000
"""Milliseconds that a slice may start after it arrived; a clock that is further off is no clock."""

_TOTAL_KEY = SeriesKey(report_pb2.SERIES_KIND_REQUEST, "", "")


class RunTotals:
    """Totals of one run. `total` is over all series of requests; groups, checks and metrics are not in it."""

    def __init__(self, *, max_series: int = MAX_SERIES_NAMES) -> None:
        self.revision = 0
        self.epoch = 1
        self.series = SeriesTable(max_series=max_series)
        self.total = SeriesTotals(OTHER_ID, _TOTAL_KEY)
        self.errors = error_table()
        self.exceptions = exception_table()
        self.history = History()
        self.all_epochs = Counts()
        self._workers: dict[str, Contribution] = {}
        self._users = 0
        self._restored_end_ms = 0

    # ── reports ──────────────────────────────────────────────────────────────────────────────────────────

    def apply(
        self, worker_key: str, worker_name: str, report: report_pb2.Report, *, at_ms: int | None = None
    ) -> None:
        """Counts a report; with `snapshot` it replaces all that the worker contributed before.

        `at_ms` is the run time at which it arrived; without it a worker that has no samples does not move
        the watermark, and users are not noted. Raises `MalformedReport` and changes nothing when any of it
        is malformed.
        """
        worker = self._workers.get(worker_key) or Contribution(worker_key, worker_name)
        dictionary = Dictionary() if report.snapshot else worker.dictionary
        check_definitions(dictionary, report)
        slices = [decode_slice(message) for message in report.slices]
        for each in slices:
            if each.stats_epoch > self.epoch:
                raise MalformedReport(f"epoch {each.stats_epoch} has not begun, the newest is {self.epoch}")
        self.revision += 1
        self._workers[worker_key] = worker
        worker.name = worker_name
        if report.snapshot:
            self._withdraw(worker)
            worker.dictionary = dictionary
        self._learn(worker, report)
        for each in slices:
            self._count(worker, each, is_snapshot=report.snapshot, at_ms=at_ms)
        self._note_progress(worker, report, slices, at_ms)

    def begin_epoch(self, epoch: int) -> None:
        """Shows samples of `epoch` and later from now on: a reset of the statistics."""
        if epoch <= self.epoch:
            return
        self.revision += 1
        self.epoch = epoch
        for row in self.series:
            row.clear(self.revision)
        self.total.clear(self.revision)
        self.errors.clear(self.revision)
        self.exceptions.clear(self.revision)
        self.history.begin_totals()
        for worker in self._workers.values():
            worker.series, worker.errors, worker.exceptions = {}, {}, {}

    def note_planned(self, at_ms: int, users: int) -> None:
        """Notes how many users the plan wants at a moment."""
        self.history.note_planned(at_ms, users, revision=self.revision)

    def restore_seconds(self, each: DecodedSlice, numbers: Mapping[int, int]) -> None:
        """Takes a stored slice, whose sums are known already, into the seconds; `numbers` translates."""
        together = Sums()
        for stored, sums in each.rows:
            row = self.series.row(numbers[stored])
            if row.key.kind == report_pb2.SERIES_KIND_REQUEST:
                together.add(sums)
            if each.stats_epoch == self.epoch:
                _add_seconds(row, each, sums)
        self.history.add(each.start_ms, each.width_ms, together, revision=self.revision)
        if each.stats_epoch == self.epoch:
            _add_seconds(self.total, each, together)
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

        Workers that sent their final report, or none at all, hold nothing up. With nobody left it is the end
        of the last slice.
        """
        known = [
            worker.reported_ms
            for worker in self._workers.values()
            if not worker.is_final and (live_worker_keys is None or worker.key in live_worker_keys)
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
        first_ms, last_ms = self.total.first_ms, self.total.last_ms
        if first_ms is None or last_ms is None or last_ms <= first_ms:
            return 0.0, 0.0
        seconds = (last_ms - first_ms) / SECOND_MS
        return row.sums.requests / seconds, row.sums.failures / seconds

    def _window_start_s(self, complete_until_ms: int) -> int:
        first_ms = self.total.first_ms or 0
        return max(complete_until_ms // SECOND_MS - RATE_SECONDS, first_ms // SECOND_MS, 0)

    # ── parts ────────────────────────────────────────────────────────────────────────────────────────────

    def _learn(self, worker: Contribution, report: report_pb2.Report) -> None:
        known = worker.dictionary
        for series in report.series:
            if series.labels:
                known.label_sets[series.label_set_id] = labels_of(series)
            parent_id = known.series[series.parent_id] if series.HasField("parent_id") else None
            key = series_key(series, labels=known.label_sets[series.label_set_id], parent_id=parent_id)
            known.series[series.id] = self.series.number(key)
        for error in report.errors:
            of = self.series.row(known.series[error.series_id]).key
            kind = error_key(error, request_type=of.request_type, name=of.name)
            known.errors[error.id] = self.errors.number(kind)
        for exception in report.exceptions:
            known.exceptions[exception.id] = self.exceptions.number(exception_key(exception))

    def _count(
        self, worker: Contribution, each: DecodedSlice, *, is_snapshot: bool, at_ms: int | None
    ) -> None:
        is_of_seconds = not is_snapshot and _is_of_seconds(each, at_ms)
        last_ms = self._last_ms(each, is_of_seconds=is_of_seconds, at_ms=at_ms)
        is_shown = each.stats_epoch == self.epoch
        together = Sums()
        for theirs, sums in each.rows:
            row = self.series.row(worker.dictionary.series[theirs])
            if row.key.kind == report_pb2.SERIES_KIND_REQUEST:
                together.add(sums)
            if not is_shown:
                continue
            row.sums.add(sums)
            row.widen(each.start_ms, last_ms)
            row.touch(self.revision)
            if is_of_seconds:
                _add_seconds(row, each, sums)
            held = worker.series.get(row.id)
            if held is None:
                worker.series[row.id] = sums
            else:
                held.add(sums)
        worker.counts.add(together)
        self.all_epochs.add(together)
        if is_of_seconds and each.rows:
            self.history.add(each.start_ms, each.width_ms, together, revision=self.revision)
            for second, requests, failures in _by_second(each, together):
                worker.recent.add(second, requests, failures)
        if is_shown:
            self._count_shown(worker, each, together, last_ms, is_of_seconds=is_of_seconds)

    def _count_shown(
        self, worker: Contribution, each: DecodedSlice, together: Sums, last_ms: int, *, is_of_seconds: bool
    ) -> None:
        if not together.is_empty:
            self.total.sums.add(together)
            self.total.widen(each.start_ms, last_ms)
            self.total.touch(self.revision)
            if is_of_seconds:
                _add_seconds(self.total, each, together)
        known = worker.dictionary
        for table, numbers, counts, held in (
            (self.errors, known.errors, each.errors, worker.errors),
            (self.exceptions, known.exceptions, each.exceptions, worker.exceptions),
        ):
            for theirs, count in counts:
                number = numbers[theirs]
                table.add(
                    number,
                    count,
                    worker=worker.key,
                    first_ms=each.start_ms,
                    last_ms=last_ms,
                    revision=self.revision,
                )
                workers.add_counts(held, {number: count})

    def _last_ms(self, each: DecodedSlice, *, is_of_seconds: bool, at_ms: int | None) -> int:
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
        slices: list[DecodedSlice],
        at_ms: int | None,
    ) -> None:
        worker.is_final = report.final
        placed = [each for each in slices if not report.snapshot and _is_of_seconds(each, at_ms)]
        if placed:
            worker.reported_ms = max(worker.reported_ms, *(each.start_ms for each in placed))
            worker.newest_end_ms = max(worker.newest_end_ms, *(each.end_ms for each in placed))
        elif at_ms is not None:
            worker.reported_ms = max(worker.reported_ms, at_ms - at_ms % SECOND_MS - SECOND_PARTS_MS)
        if at_ms is not None and report.HasField("status"):
            self._note_users(worker, sum(count.running for count in report.status.users), at_ms)

    def _note_users(self, worker: Contribution, users: int, at_ms: int) -> None:
        self._users += users - worker.users
        worker.users, worker.heard_ms = users, at_ms
        if not self.history.has(at_ms):
            for other in self._workers.values():
                if at_ms - other.heard_ms > HEARD_MS:
                    other.users = 0
            self._users = sum(other.users for other in self._workers.values())
        self.history.note_users(at_ms, self._users, revision=self.revision)

    def _withdraw(self, worker: Contribution) -> None:
        """Takes back all that a worker contributed."""
        others = [other for other in self._workers.values() if other is not worker]
        for number, sums in worker.series.items():
            row = self.series.row(number)
            row.sums.subtract(sums)
            row.sums.set_extremes(other.series[number] for other in others if number in other.series)
            row.touch(self.revision)
            if row.key.kind == report_pb2.SERIES_KIND_REQUEST:
                self.total.sums.subtract(sums)
        self.total.sums.set_extremes(
            row.sums for row in self.series if row.key.kind == report_pb2.SERIES_KIND_REQUEST
        )
        self.total.touch(self.revision)
        self.errors.withdraw(worker.errors, worker=worker.key, revision=self.revision)
        self.exceptions.withdraw(worker.exceptions, worker=worker.key, revision=self.revision)
        self.all_epochs.add(worker.counts, sign=-1)
        worker.series, worker.errors, worker.exceptions, worker.counts = {}, {}, {}, Counts()


def _is_of_seconds(each: DecodedSlice, at_ms: int | None) -> bool:
    """True when a slice says in which seconds its samples were; else it is a sum, or its clock is broken."""
    return each.width_ms <= MAX_DEALT_MS and (at_ms is None or each.start_ms <= at_ms + MAX_AHEAD_MS)


def _by_second(each: DecodedSlice, sums: Sums) -> Iterable[tuple[int, int, int]]:
    """Second, requests and failures for each second of a slice; a joined one is dealt evenly."""
    second, parts = each.start_ms // SECOND_MS, max(1, each.width_ms // SECOND_MS)
    if parts == 1:
        return ((second, sums.requests, sums.failures),)
    seconds = range(second, second + parts)
    return zip(seconds, dealt(sums.requests, parts), dealt(sums.failures, parts), strict=True)


def _add_seconds(row: SeriesTotals, each: DecodedSlice, sums: Sums) -> None:
    for second, requests, failures in _by_second(each, sums):
        row.recent.add(second, requests, failures)
        row.timeline.add(second, requests, failures)
