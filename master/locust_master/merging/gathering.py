"""Counts slices of many workers on the hot path: what can wait until somebody looks is gathered first.

Cells go to the pool of the rows, and to the histogram over all requests of the slice's place, at once.
Figures of rows are added up by place, and given to the rows, the seconds and the total when somebody looks:
once for each row and second, whatever the number of workers. Sums are the same in any grouping, so the totals
are those of counting slice by slice.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from locust_master.merging.arrays import (
    ADDED_LINES,
    COUNT,
    FAILURES,
    INTERRUPTED,
    LINES,
    MIN_US,
    REQUESTS,
    RESPONSE_BYTES,
    TOTAL_US,
    UNTIMED,
    SliceArrays,
)
from locust_master.merging.cells import CellPool, Ints
from locust_master.merging.seconds import SECOND_MS, dealt
from locust_master.merging.series import SeriesTotals
from locust_master.merging.sums import Counts, Sums
from locust_protocol.histogram import MAX_BUCKET_INDEX, Histogram

MAX_GATHERED = 100_000
"""Slices that wait in one place; sums of so many of `arrays.MAX_FIGURE` fit 64 bits."""

_NO_MIN = -(1 << 62)


class Place(NamedTuple):
    """Where slices belong; `last_ms` is the latest moment at which a sample can have been taken."""

    stats_epoch: int
    start_ms: int
    width_ms: int
    last_ms: int
    is_of_seconds: bool


@dataclass(slots=True)
class Target:
    """Where the rows of a slice are counted: numbers at the master, and which of them count requests."""

    numbers: Ints
    are_requests: NDArray[np.bool_]


class Gathered:
    """What several slices of one place add up to, by number of the row, and over all requests."""

    def __init__(self) -> None:
        self._sums = np.zeros((0, ADDED_LINES), np.int64)
        self._extremes = np.zeros((0, LINES - ADDED_LINES), np.int64)
        """Minima as negative numbers, then maxima: of all the highest counts."""
        self._are_requests = np.zeros(0, np.bool_)
        self._revisions = np.zeros(0, np.int64)
        self._cells = np.zeros((2, MAX_BUCKET_INDEX + 1), np.int64)
        self._others = Sums()
        """Requests of slices that came as rows."""
        self._other_rows: dict[int, list[int]] = {}
        """Their requests, failures and revision, by number of the row."""
        self.slices = 0

    def add(self, each: SliceArrays, target: Target, *, revision: int) -> Counts:
        """Adds all rows of a slice; returns its requests."""
        self.slices += 1
        numbers, figures = target.numbers, each.figures
        self._make_room(int(numbers.max()))
        self._sums[numbers] += figures[:ADDED_LINES].T
        extremes = figures[MIN_US:].copy()
        np.negative(extremes[:2], out=extremes[:2])
        # A row without samples has the minimum 0, which is none.
        extremes[:2][figures[COUNT:TOTAL_US] == 0] = _NO_MIN
        self._extremes[numbers] = np.maximum(self._extremes[numbers], extremes.T)
        self._revisions[numbers] = revision
        rows, buckets, counts = each.cell_rows, each.buckets, each.cell_counts
        if target.are_requests.all():
            of_requests = figures
        else:
            self._are_requests[numbers] = target.are_requests
            of_requests = figures[:, target.are_requests]
            chosen = np.tile(target.are_requests, 2)[rows]
            rows, buckets = rows[chosen], buckets[chosen]
            counts = None if counts is None else counts[chosen]
        splits = int(rows.searchsorted(numbers.size))
        for cells, part in ((self._cells[0], slice(splits)), (self._cells[1], slice(splits, None))):
            np.add.at(cells, buckets[part], 1 if counts is None else counts[part])
        return Counts(*of_requests[:RESPONSE_BYTES].sum(axis=1).tolist())

    def add_row(self, row: SeriesTotals, sums: Sums, *, is_request: bool, revision: int) -> None:
        """Adds a row that did not come in arrays; its own sums are the caller's."""
        if is_request:
            self._others.add(sums)
        held = self._other_rows.setdefault(row.id, [0, 0, 0])
        held[0] += sums.requests
        held[1] += sums.failures
        held[2] = revision

    def rows(self) -> Iterator[tuple[int, list[int], int]]:
        """Yields number, figures by line and revision of each row that came in arrays."""
        numbers = self._revisions.nonzero()[0]
        sums, extremes = self._sums[numbers], self._extremes[numbers]
        extremes[:, :2] *= -1
        figures = np.hstack([sums, extremes]).tolist()
        yield from zip(numbers.tolist(), figures, self._revisions[numbers].tolist(), strict=True)

    def seconds_of_rows(self) -> Iterator[tuple[int, int, int, int]]:
        """Yields number, requests, failures and revision of each row."""
        for number, figures, revision in self.rows():
            yield number, figures[REQUESTS], figures[FAILURES], revision
        for number, (requests, failures, revision) in self._other_rows.items():
            yield number, requests, failures, revision

    def together(self) -> Sums:
        """Returns the sums of all requests."""
        sums = Sums()
        if self.slices:
            added = self._sums[self._are_requests].sum(axis=0).tolist()
            lows_and_highs = self._extremes[self._are_requests].max(axis=0)
            lows_and_highs[:2] *= -1
            add_figures(sums, added + lows_and_highs.tolist())
            for cells, histogram in zip(self._cells, (sums.successful, sums.failed), strict=True):
                filled = cells.nonzero()[0]
                histogram.counts = dict(zip(filled.tolist(), cells[filled].tolist(), strict=True))
        sums.add(self._others)
        return sums

    def _make_room(self, number: int) -> None:
        held = self._revisions.size
        if number < held:
            return
        size = max(64, 2 * held, number + 1)
        more = size - held
        self._sums = np.concatenate([self._sums, np.zeros((more, ADDED_LINES), np.int64)])
        none = np.zeros((more, LINES - ADDED_LINES), np.int64)
        none[:, :2] = _NO_MIN
        self._extremes = np.concatenate([self._extremes, none])
        self._revisions = np.concatenate([self._revisions, np.zeros(more, np.int64)])
        self._are_requests = np.concatenate([self._are_requests, np.ones(more, np.bool_)])


def add_cells(pool: CellPool, each: SliceArrays, numbers: Ints) -> None:
    """Adds the cells of a slice to those of its rows; see `pool_row`."""
    by_row = np.concatenate([numbers << 1, (numbers << 1) + 1])
    pool.add(by_row[each.cell_rows], each.buckets, each.cell_counts)


def add_figures(sums: Sums, figures: list[int]) -> None:
    """Adds the figures of a row, by line, whose cells are in the pool."""
    sums.requests += figures[REQUESTS]
    sums.failures += figures[FAILURES]
    sums.untimed += figures[UNTIMED]
    sums.interrupted += figures[INTERRUPTED]
    sums.response_bytes += figures[RESPONSE_BYTES]
    for line, histogram in enumerate((sums.successful, sums.failed)):
        _add_times(histogram, *figures[COUNT + line :: 2])


def _add_times(histogram: Histogram, count: int, total_us: int, min_us: int, max_us: int) -> None:
    if count:
        histogram.add_figures(count, total_us, min_us, max_us)


def by_second(start_ms: int, width_ms: int, requests: int, failures: int) -> Iterable[tuple[int, int, int]]:
    """Returns second, requests and failures for each second of a slice; a joined one is dealt evenly."""
    second, parts = start_ms // SECOND_MS, max(1, width_ms // SECOND_MS)
    if parts == 1:
        return ((second, requests, failures),)
    seconds = range(second, second + parts)
    return zip(seconds, dealt(requests, parts), dealt(failures, parts), strict=True)
