"""Request statistics as user code reads them: by name and method, and in total.

Response times are kept in a histogram that is exact to 0.1 %; outside they are milliseconds. The seconds
and windows here follow the wall clock of this process. This is not what reports are made of: those travel
from each runner's recorder to the master.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any, Final

from locust_protocol.histogram import Histogram, bucket_midpoint_us, merged
from locust_runtime.stats_errors import StatsError

CURRENT_WINDOW_S: Final = 10
"""Seconds that the current percentiles look back: as many as the current requests per second."""

KEPT_SECONDS: Final = 3_600
"""Counts per second are kept for an hour: a soak test must not grow without end."""

_US_PER_MS: Final = 1000


class StatsEntry:
    """Requests of one name and method, or of all of them."""

    def __init__(
        self, stats: RequestStats, name: str, method: str, use_response_times_cache: bool = True
    ) -> None:
        self.stats = stats
        self.name = name
        self.method = method
        self.use_response_times_cache = use_response_times_cache
        """Whether current percentiles can be asked for."""
        self.reset()

    def reset(self) -> None:
        """Forgets everything; the time of this entry starts now."""
        self.start_time = time.time()
        self.last_request_timestamp: float | None = None
        self.num_requests = 0
        self.num_none_requests = 0
        """Requests without a response time; they are in `num_requests` too."""
        self.num_failures = 0
        """Failed requests; they are in `num_requests` too."""
        self.num_interrupted = 0
        """Requests that a stop cut off; they are in no other figure."""
        self.total_content_length = 0
        self.histogram = Histogram()
        self.num_reqs_per_sec: dict[int, int] = {}
        self.num_fail_per_sec: dict[int, int] = {}
        self._recent: deque[tuple[int, Histogram]] = deque(maxlen=CURRENT_WINDOW_S + 1)

    def log(self, response_time: float | None, content_length: int) -> None:
        """Counts a request: its response time in ms, or None when it has none, and its length in bytes."""
        now = time.time()
        second = int(now)
        self.num_requests += 1
        self.last_request_timestamp = now
        self.total_content_length += content_length or 0
        _count_second(self.num_reqs_per_sec, second)
        if response_time is None:
            self.num_none_requests += 1
            return
        value_us = round(response_time * _US_PER_MS)
        self.histogram.record(value_us)
        if self.use_response_times_cache:
            if not self._recent or self._recent[-1][0] != second:
                self._recent.append((second, Histogram()))
            self._recent[-1][1].record(value_us)

    def log_error(self, error: BaseException | str | None) -> None:
        """Counts a failure of a request that `log` counts as well."""
        self.num_failures += 1
        _count_second(self.num_fail_per_sec, int(time.time()))

    @property
    def fail_ratio(self) -> float:
        """Failures per request, 0 to 1."""
        if self.num_requests:
            return self.num_failures / self.num_requests
        return 1.0 if self.num_failures else 0.0

    @property
    def total_response_time(self) -> float:
        """Sum of the response times in ms."""
        return self.histogram.total_us / _US_PER_MS

    @property
    def avg_response_time(self) -> float:
        """Mean response time in ms; 0 without requests."""
        return (self.histogram.mean_us or 0.0) / _US_PER_MS

    @property
    def median_response_time(self) -> float:
        """Median response time in ms; 0 without requests."""
        return self.get_response_time_percentile(0.5)

    @property
    def min_response_time(self) -> float | None:
        """Shortest response time in ms; None without requests."""
        return self.histogram.min_us / _US_PER_MS if self.histogram.count else None

    @property
    def max_response_time(self) -> float:
        """Longest response time in ms; 0 without requests."""
        return self.histogram.max_us / _US_PER_MS

    @property
    def avg_content_length(self) -> float:
        """Mean length of a response in bytes; 0 without requests."""
        return self.total_content_length / self.num_requests if self.num_requests else 0

    @property
    def total_rps(self) -> float:
        """Requests per second, from the start of the statistics to the last request of any name."""
        return self._per_second(self.num_requests)

    @property
    def total_fail_per_sec(self) -> float:
        """Failures per second; see `total_rps`."""
        return self._per_second(self.num_failures)

    @property
    def current_rps(self) -> float:
        """Requests per second: mean of the ten seconds that ended two before the last request of any name."""
        return self._current_per_second(self.num_reqs_per_sec)

    @property
    def current_fail_per_sec(self) -> float:
        """Failures per second; see `current_rps`."""
        return self._current_per_second(self.num_fail_per_sec)

    @property
    def response_times(self) -> dict[int, int]:
        """Counts by response time, rounded to whole ms. For scripts that read it; percentiles are exact."""
        rounded: dict[int, int] = {}
        for bucket, times in sorted(self.histogram.counts.items()):
            key = round(bucket_midpoint_us(bucket) / _US_PER_MS)
            rounded[key] = rounded.get(key, 0) + times
        return rounded

    def get_response_time_percentile(self, percent: float) -> float:
        """Response time in ms that the given share (0 to 1) of the requests did not exceed; 0 without any."""
        return (self.histogram.quantile_us(percent) or 0.0) / _US_PER_MS

    def get_current_response_time_percentile(self, percent: float) -> float | None:
        """The same over the last ten seconds; None when they had no request.

        Raises ValueError when `use_response_times_cache` is off.
        """
        if not self.use_response_times_cache:
            raise ValueError("current percentiles need use_response_times_cache=True")
        oldest = int(time.time()) - CURRENT_WINDOW_S
        window = merged(histogram for second, histogram in self._recent if second >= oldest)
        quantile = window.quantile_us(percent)
        return None if quantile is None else quantile / _US_PER_MS

    def extend(self, other: StatsEntry) -> None:
        """Adds the figures of another entry; the current percentiles stay this one's."""
        self.start_time = min(self.start_time, other.start_time)
        if other.last_request_timestamp is not None:
            self.last_request_timestamp = max(
                self.last_request_timestamp or 0.0, other.last_request_timestamp
            )
        self.num_requests += other.num_requests
        self.num_none_requests += other.num_none_requests
        self.num_failures += other.num_failures
        self.num_interrupted += other.num_interrupted
        self.total_content_length += other.total_content_length
        self.histogram.add(other.histogram)
        for mine, theirs in (
            (self.num_reqs_per_sec, other.num_reqs_per_sec),
            (self.num_fail_per_sec, other.num_fail_per_sec),
        ):
            for second, count in theirs.items():
                mine[second] = mine.get(second, 0) + count

    def serialize(self) -> dict[str, Any]:
        """The figures as plain data, under the keys of `--json`."""
        return {
            "name": self.name,
            "method": self.method,
            "last_request_timestamp": self.last_request_timestamp,
            "start_time": self.start_time,
            "num_requests": self.num_requests,
            "num_none_requests": self.num_none_requests,
            "num_failures": self.num_failures,
            "total_response_time": self.total_response_time,
            "max_response_time": self.max_response_time,
            "min_response_time": self.min_response_time,
            "total_content_length": self.total_content_length,
            "response_times": self.response_times,
            "num_reqs_per_sec": dict(self.num_reqs_per_sec),
            "num_fail_per_sec": dict(self.num_fail_per_sec),
        }

    def _per_second(self, count: int) -> float:
        last = self.stats.last_request_timestamp
        duration = (last or 0.0) - self.stats.start_time
        return count / duration if last and duration > 0 else 0.0

    def _current_per_second(self, per_second: dict[int, int]) -> float:
        last = self.stats.last_request_timestamp
        if last is None:
            return 0.0
        seconds = range(max(int(last) - 12, int(self.stats.start_time)), int(last) - 2)
        return sum(per_second.get(second, 0) for second in seconds) / max(len(seconds), 1)


class Entries(dict[tuple[str, str], StatsEntry]):
    """Entries by (name, method); asking for one that is not there makes it."""

    def __init__(self, stats: RequestStats) -> None:
        super().__init__()
        self._stats = stats

    def __missing__(self, key: tuple[str, str]) -> StatsEntry:
        entry = self._stats.new_entry(*key)
        self[key] = entry
        return entry


class RequestStats:
    """The statistics of a test: `environment.stats`."""

    def __init__(self, use_response_times_cache: bool = True) -> None:
        self.use_response_times_cache = use_response_times_cache
        self.clear_all()

    def new_entry(self, name: str, method: str) -> StatsEntry:
        """An empty entry that belongs to these statistics and is not among `entries` yet."""
        return StatsEntry(self, name, method, self.use_response_times_cache)

    def clear_all(self) -> None:
        """Removes all entries, errors and history."""
        self.entries = Entries(self)
        self.errors: dict[str, StatsError] = {}
        self.history: list[dict[str, Any]] = []
        self.total = self.new_entry("Aggregated", "")

    def reset_all(self) -> None:
        """Sets all entries to zero and removes errors and history."""
        self.total.reset()
        for entry in self.entries.values():
            entry.reset()
        self.errors = {}
        self.history = []

    def get(self, name: str, method: str) -> StatsEntry:
        """The entry of a name and method; made when it is not there."""
        return self.entries[(name, method)]

    def log_request(self, method: str, name: str, response_time: float | None, content_length: int) -> None:
        """Counts a request; response time in ms, length in bytes."""
        self.total.log(response_time, content_length)
        self.entries[(name, method)].log(response_time, content_length)

    def log_error(self, method: str, name: str, error: BaseException | str | None) -> None:
        """Counts a failure, and its text among `errors`."""
        self.total.log_error(error)
        self.entries[(name, method)].log_error(error)
        key = StatsError.create_key(method, name, error)
        if key not in self.errors:
            self.errors[key] = StatsError(method, name, error)
        self.errors[key].occurred()

    def log_interrupted(self, method: str, name: str) -> None:
        """Counts a request that a stop cut off."""
        self.total.num_interrupted += 1
        self.entries[(name, method)].num_interrupted += 1

    @property
    def num_requests(self) -> int:
        return self.total.num_requests

    @property
    def num_none_requests(self) -> int:
        return self.total.num_none_requests

    @property
    def num_failures(self) -> int:
        return self.total.num_failures

    @property
    def last_request_timestamp(self) -> float | None:
        return self.total.last_request_timestamp

    @property
    def start_time(self) -> float:
        return self.total.start_time

    def serialize_stats(self) -> list[dict[str, Any]]:
        """All entries that have something, as plain data. Unlike in Locust, this does not reset them."""
        return [
            entry.serialize() for entry in self.entries.values() if entry.num_requests or entry.num_failures
        ]

    def serialize_errors(self) -> dict[str, dict[str, Any]]:
        """All errors as plain data."""
        return {key: error.to_dict() for key, error in self.errors.items()}


def _count_second(per_second: dict[int, int], second: int) -> None:
    per_second[second] = per_second.get(second, 0) + 1
    if len(per_second) > KEPT_SECONDS:
        del per_second[next(iter(per_second))]
