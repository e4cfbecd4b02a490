"""The run second by second, over all requests and workers.

The newest seconds are open: their response times are kept as a histogram, so that what comes late still moves
their percentiles. Older ones are closed: percentiles and the totals up to their end are figures that stand,
and what comes even later changes counts only. So memory is bounded, and so is the cost of a second.

Pure. Must never lose a count that it was given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from locust_master.merging.cells import CellPool, PooledHistogram
from locust_master.merging.seconds import SECOND_MS, dealt
from locust_master.merging.sums import Sums
from locust_protocol.histogram import Histogram

OPEN_SECONDS = 120
"""Seconds that stay open, the newest: as many as a worker lets wait before it joins slices. About 4 MB."""

POOL_ROWS = 128
"""Open seconds are next to each other, so that each has a row of the pool of its own."""

MAX_SECONDS = 86_400
"""Seconds kept in memory: a day, about 100 MB; older ones are in the run store only."""

SHARES = (0.5, 0.66, 0.75, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 0.9999, 1.0)
"""Percentiles of a closed second: those of Locust's tables."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of all requests since the statistics began, up to the end of a second; times in µs."""

    requests: int
    failures: int
    median_us: float | None
    mean_us: float | None
    min_us: int
    max_us: int
    response_bytes: int


@dataclass(slots=True)
class Second:
    """One second of the run. `timed` is None once it is closed; `quantiles` and `until_end` are set then."""

    number: int
    requests: int = 0
    failures: int = 0
    response_bytes: int = 0
    users: int = 0
    planned_users: int = 0
    revision: int = 0
    timed: Histogram | None = field(default_factory=Histogram)
    quantiles: dict[float, float] = field(default_factory=dict)
    until_end: Figures | None = None

    @property
    def start_ms(self) -> int:
        """Its start on the run's timeline."""
        return self.number * SECOND_MS

    def quantiles_us(self) -> dict[float, float]:
        """Returns the percentiles of its requests in µs by share, empty when none has a response time."""
        if self.timed is not None and not self.quantiles:
            found = zip(SHARES, self.timed.quantiles_us(SHARES), strict=True)
            self.quantiles = {share: value for share, value in found if value is not None}
        return self.quantiles


@dataclass(slots=True)
class _Running:
    """All requests up to some second."""

    requests: int = 0
    failures: int = 0
    response_bytes: int = 0
    timed: Histogram = field(default_factory=Histogram)

    def add(self, requests: int, failures: int, response_bytes: int, timed: Histogram) -> None:
        self.requests += requests
        self.failures += failures
        self.response_bytes += response_bytes
        self.timed.add(timed)

    def copy(self) -> _Running:
        return _Running(self.requests, self.failures, self.response_bytes, self.timed.copy())

    def figures(self) -> Figures:
        timed = self.timed
        return Figures(
            requests=self.requests,
            failures=self.failures,
            median_us=timed.quantile_us(0.5),
            mean_us=timed.mean_us,
            min_us=timed.min_us,
            max_us=timed.max_us,
            response_bytes=self.response_bytes,
        )


class History:
    """Seconds by number."""

    def __init__(self) -> None:
        self._pool = CellPool()
        self._seconds: dict[int, Second] = {}
        self._running = _Running()
        self._open_from = 0

    def add(self, start_ms: int, width_ms: int, sums: Sums, *, revision: int) -> None:
        """Counts the requests of a slice; a joined one is dealt to its seconds, evenly and exactly."""
        first = max(0, start_ms // SECOND_MS)
        parts = max(1, width_ms // SECOND_MS)
        if parts == 1:
            timed = sums.successful
            if sums.failed.count:
                timed = sums.timed()
            self._count(first, sums.requests, sums.failures, sums.response_bytes, timed, revision)
            return
        dealt_sums = zip(
            dealt(sums.requests, parts),
            dealt(sums.failures, parts),
            dealt(sums.response_bytes, parts),
            _dealt_times(sums.timed(), parts),
            strict=True,
        )
        for part, (requests, failures, response_bytes, timed) in enumerate(dealt_sums):
            self._count(first + part, requests, failures, response_bytes, timed, revision)

    def note_users(self, at_ms: int, users: int, *, revision: int) -> None:
        """Notes how many users ran at a moment."""
        second = self._second(max(0, at_ms // SECOND_MS))
        if second.users != users:
            second.users, second.revision = users, revision

    def note_planned(self, at_ms: int, users: int, *, revision: int) -> None:
        """Notes how many users the plan wanted at a moment."""
        second = self._second(max(0, at_ms // SECOND_MS))
        if second.planned_users != users:
            second.planned_users, second.revision = users, revision

    def has(self, at_ms: int) -> bool:
        """True when something is known of the second of a moment."""
        return at_ms // SECOND_MS in self._seconds

    def begin_totals(self) -> None:
        """Lets the totals begin anew: a reset of the statistics. The seconds stay."""
        for number in sorted(n for n in self._seconds if n >= self._open_from):
            self._close(self._seconds[number])
        self._open_from = max(self._seconds, default=-1) + 1
        self._running = _Running()

    def between(self, first_ms: int, end_ms: int) -> list[Second]:
        """Returns the seconds that lie between two moments, in order."""
        first, end = max(0, -(-first_ms // SECOND_MS)), end_ms // SECOND_MS
        if end - first > len(self._seconds):
            return [self._seconds[n] for n in sorted(self._seconds) if first <= n < end]
        return [self._seconds[n] for n in range(first, end) if n in self._seconds]

    def with_totals(self) -> Iterator[tuple[Second, Figures]]:
        """Yields all seconds in order, with the figures of all requests up to the end of each."""
        running = self._running.copy()
        for number in sorted(self._seconds):
            second = self._seconds[number]
            if second.until_end is not None:
                yield second, second.until_end
            elif second.timed is not None:
                running.add(second.requests, second.failures, second.response_bytes, second.timed)
                yield second, running.figures()

    def _count(
        self, number: int, requests: int, failures: int, response_bytes: int, timed: Histogram, revision: int
    ) -> None:
        second = self._second(number)
        second.requests += requests
        second.failures += failures
        second.response_bytes += response_bytes
        second.revision = revision
        if second.timed is not None:
            second.timed.add(timed)
            second.quantiles = {}
        else:
            self._running.add(requests, failures, response_bytes, timed)

    def _second(self, number: int) -> Second:
        second = self._seconds.get(number)
        if second is None:
            self._close_before(number - OPEN_SECONDS)
            if number < self._open_from:
                second = Second(number, timed=None, until_end=self._running.figures())
            else:
                second = Second(number, timed=PooledHistogram(self._pool, number % POOL_ROWS))
            self._seconds[number] = second
        return second

    def _close_before(self, number: int) -> None:
        """Closes the seconds before `number`, oldest first, and forgets those that are too old."""
        if number <= self._open_from:
            return
        if number - self._open_from > len(self._seconds):
            closing = sorted(n for n in self._seconds if self._open_from <= n < number)
        else:
            closing = [n for n in range(self._open_from, number) if n in self._seconds]
        for each in closing:
            self._close(self._seconds[each])
        self._open_from = number
        if len(self._seconds) > MAX_SECONDS:
            for each in sorted(self._seconds)[: len(self._seconds) - MAX_SECONDS]:
                del self._seconds[each]

    def _close(self, second: Second) -> None:
        second.quantiles_us()
        assert second.timed is not None, "a second is closed once"
        self._running.add(second.requests, second.failures, second.response_bytes, second.timed)
        second.timed.clear()
        second.timed = None
        second.until_end = self._running.figures()


def _dealt_times(histogram: Histogram, parts: int) -> list[Histogram]:
    """Deals samples to parts like cards, smallest first: each part gets the same spread of response times."""
    hands = [Histogram() for _ in range(parts)]
    dealt_so_far = 0
    for bucket in sorted(histogram.counts):
        times = histogram.counts[bucket]
        for part, hand in enumerate(hands):
            share = (dealt_so_far + times - 1 - part) // parts - (dealt_so_far - 1 - part) // parts
            if share:
                hand.counts[bucket] = share
                hand.count += share
        dealt_so_far += times
    for hand in hands:
        hand.min_us, hand.max_us = histogram.min_us, histogram.max_us
    hands[0].total_us = histogram.total_us
    return hands
