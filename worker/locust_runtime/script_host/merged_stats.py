"""`environment.stats` on the master: the figures of all workers, as the master merged them.

The master counts, and it sends what it has about once a second; here each snapshot replaces the figures of
the one before, in the same objects, since user code holds on to them. Percentiles are those that the master
sends; between two of them the value is interpolated. Nothing is counted here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from locust_protocol.limits import OTHER_NAME
from locust_protocol.v1.report_pb2 import SeriesDefinition, SeriesKind
from locust_protocol.v1.snapshot_pb2 import ErrorRow, HistoryPoint, Quantile, SeriesRow, Snapshot
from locust_runtime.request_stats import CURRENT_WINDOW_S, RequestStats, StatsEntry
from locust_runtime.stats_errors import StatsError

OTHER_ID: Final = 0
"""The series of names over the limit, which needs no definition."""

_REQUEST_KINDS: Final = (SeriesKind.SERIES_KIND_UNSPECIFIED, SeriesKind.SERIES_KIND_REQUEST)
_US_PER_MS: Final = 1000


class MergedEntry(StatsEntry):
    """Requests of one name and method, or of all of them, over all workers."""

    def reset(self) -> None:
        super().reset()
        self._row = SeriesRow()
        self._recent_points: Sequence[HistoryPoint] = ()

    def show(self, row: SeriesRow, *, started_s: float, complete_until_s: float) -> None:
        """Replace the figures; times are epoch seconds, the second one that up to which all is counted."""
        self._row = row
        self.start_time = started_s
        self.num_requests = row.requests
        self.num_none_requests = row.untimed
        self.num_failures = row.failures
        self.num_interrupted = row.interrupted
        self.total_content_length = row.mean_bytes * row.requests
        first_second = int(complete_until_s) - len(row.last_minute)
        self.num_reqs_per_sec = {
            first_second + place: count for place, count in enumerate(row.last_minute) if count
        }
        last_second = max(self.num_reqs_per_sec, default=first_second)
        self.last_request_timestamp = max(started_s, last_second + 1.0) if row.requests else None

    def show_recent(self, points: Sequence[HistoryPoint]) -> None:
        """Replace the seconds that the current percentiles look at."""
        self._recent_points = points

    @property
    def total_response_time(self) -> float:
        """Sum of the response times in ms."""
        return self.avg_response_time * (self.num_requests - self.num_none_requests)

    @property
    def avg_response_time(self) -> float:
        """Mean response time in ms; 0 without requests."""
        return self._row.mean_us / _US_PER_MS

    @property
    def min_response_time(self) -> float | None:
        """Shortest response time in ms; None without requests."""
        return self._row.min_us / _US_PER_MS if self._row.HasField("min_us") else None

    @property
    def max_response_time(self) -> float:
        """Longest response time in ms; 0 without requests."""
        return self._row.max_us / _US_PER_MS

    @property
    def total_rps(self) -> float:
        """Requests per second over the run."""
        return self._row.total_rps

    @property
    def total_fail_per_sec(self) -> float:
        """Failures per second over the run."""
        return self._row.total_failures_per_second

    @property
    def current_rps(self) -> float:
        """Requests per second over the last ten complete seconds."""
        return self._row.current_rps

    @property
    def current_fail_per_sec(self) -> float:
        """Failures per second over the last ten complete seconds."""
        return self._row.current_failures_per_second

    @property
    def response_times(self) -> dict[int, int]:
        """Counts by response time in whole ms, as far as the percentiles tell."""
        counts: dict[int, int] = {}
        timed = self.num_requests - self.num_none_requests
        counted = 0
        for quantile in sorted(self._row.quantiles, key=lambda each: each.share):
            until = round(quantile.share * timed)
            value_ms = round(quantile.value_us / _US_PER_MS)
            if until > counted:
                counts[value_ms] = counts.get(value_ms, 0) + until - counted
            counted = max(counted, until)
        return counts

    def get_response_time_percentile(self, percent: float) -> float:
        """Response time in ms that the given share (0 to 1) of the requests did not exceed; 0 without any."""
        ends = [(0.0, self._row.min_us), (1.0, self._row.max_us)] if self._row.HasField("max_us") else []
        return quantile_us(percent, self._row.quantiles, ends) / _US_PER_MS

    def get_current_response_time_percentile(self, percent: float) -> float | None:
        """The same over the last ten seconds: the mean of their percentiles, weighted with their requests.

        None when they had no request, and for a single name, as the master keeps this for all names together.
        """
        weighted_us = requests = 0.0
        for point in self._recent_points:
            if point.quantiles:
                weighted_us += quantile_us(percent, point.quantiles, ()) * point.requests
                requests += point.requests
        return weighted_us / requests / _US_PER_MS if requests else None


class MergedStats(RequestStats):
    """The statistics of a test over all workers."""

    def __init__(self) -> None:
        self._definitions: dict[int, SeriesDefinition] = {}
        super().__init__()

    def new_entry(self, name: str, method: str) -> MergedEntry:
        """An empty entry that belongs to these statistics and is not among `entries` yet."""
        return MergedEntry(self, name, method, self.use_response_times_cache)

    def clear_all(self) -> None:
        """Removes all entries, errors and history. What the master goes on counting comes back."""
        self._definitions.clear()
        super().clear_all()

    def show(self, snapshot: Snapshot) -> None:
        """Replace the figures by those of a snapshot; rows that an incomplete one does not have stay."""
        started_s = snapshot.run.started_wall_ms / 1000
        complete_until_s = started_s + snapshot.run.complete_until_ms / 1000
        shown: set[tuple[str, str]] = set()
        for row in snapshot.series:
            key = self._key(row)
            if key is not None:
                shown.add(key)
                self._entry(*key).show(row, started_s=started_s, complete_until_s=complete_until_s)
        if snapshot.complete:
            for key in set(self.entries) - shown:
                del self.entries[key]
            self.errors.clear()
        self._show_errors(snapshot.errors, started_s)
        total = self.total
        assert isinstance(total, MergedEntry)
        if snapshot.HasField("total"):
            total.show(snapshot.total, started_s=started_s, complete_until_s=complete_until_s)
        if snapshot.history:
            total.show_recent(recent_points(snapshot.history))

    def _key(self, row: SeriesRow) -> tuple[str, str] | None:
        """The key in `entries`; None for a series that does not count requests."""
        if row.HasField("definition"):
            self._definitions[row.id] = row.definition
        definition = self._definitions.get(row.id)
        if definition is None:
            return (OTHER_NAME, "") if row.id == OTHER_ID else None
        if definition.kind not in _REQUEST_KINDS:
            return None
        return (definition.name, definition.request_type)

    def _entry(self, name: str, method: str) -> MergedEntry:
        entry = self.entries[(name, method)]
        assert isinstance(entry, MergedEntry)
        return entry

    def _show_errors(self, rows: Iterable[ErrorRow], started_s: float) -> None:
        for row in rows:
            key = StatsError.create_key(row.request_type, row.name, row.message)
            error = self.errors.setdefault(key, StatsError(row.request_type, row.name, row.message))
            error.occurrences = row.count
            error.first_seen = started_s + row.first_ms / 1000
            error.last_seen = started_s + row.last_ms / 1000


def recent_points(history: Sequence[HistoryPoint]) -> list[HistoryPoint]:
    """The points of the last `CURRENT_WINDOW_S` seconds of a history, oldest first."""
    end_ms = max((point.start_ms + point.width_ms for point in history), default=0)
    return [point for point in history if point.start_ms >= end_ms - CURRENT_WINDOW_S * 1000]


def quantile_us(share: float, quantiles: Iterable[Quantile], ends: Iterable[tuple[float, int]]) -> float:
    """The value at a share (0 to 1) in µs: one of the given, or on the line between its two neighbours.

    `ends` are further points (share, µs); those of `quantiles` win. 0 without any point.
    """
    values = dict(ends) | {each.share: each.value_us for each in quantiles}
    if not values:
        return 0.0
    if share in values:
        return float(values[share])
    below = max((each for each in values if each < share), default=min(values))
    above = min((each for each in values if each > share), default=max(values))
    if above <= below:
        return float(values[above])
    part = (share - below) / (above - below)
    return values[below] + (values[above] - values[below]) * part


def exception_entry(row: Any) -> dict[str, Any]:
    """An exception of user code as `runner.exceptions` has it."""
    return {
        "count": row.count,
        "msg": row.message,
        "traceback": row.traceback,
        "nodes": set(row.workers),
    }
