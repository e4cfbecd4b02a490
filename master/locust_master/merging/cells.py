"""Buckets of the histograms of many rows in one array, so that a slice is counted by a few calls.

A histogram has 12,123 buckets, of which a row fills some stretches. So the array has pages of 128 buckets,
and a table says which page holds which stretch of which row: 2,000 rows take some 30 MB, whatever the number
of samples, and a thousand cells are counted in 15 µs.

Pure. Must never give one page to two stretches.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from locust_master.merging.packed import Ints
from locust_protocol.histogram import MAX_BUCKET_INDEX, Histogram, bucket_bounds, bucket_index

PAGE_BITS = 7
PAGE_BUCKETS = 1 << PAGE_BITS
ROW_PAGES = (MAX_BUCKET_INDEX >> PAGE_BITS) + 1
"""Pages of a row whose samples are everywhere: 95."""

FIRST_PAGES = 64
"""Pages at the start: 64 kB."""

_NO_PAGE = 0
"""The page that stands for all that are not there; it stays empty."""


class CellPool:
    """Counts by row and bucket; rows are numbered from 0 and need not be announced."""

    def __init__(self) -> None:
        self._counts = np.zeros(FIRST_PAGES << PAGE_BITS, np.int64)
        self._page_of = np.zeros(16 * ROW_PAGES, np.intp)
        self._free = list(range(FIRST_PAGES - 1, _NO_PAGE, -1))

    def add(self, rows: Ints, buckets: Ints, counts: Ints | None) -> None:
        """Adds cells: a row, a bucket, and how many samples, None for one each. Cells may repeat."""
        stretches = buckets >> PAGE_BITS
        stretches += rows * ROW_PAGES
        pages = self._pages(stretches)
        pages <<= PAGE_BITS
        pages |= buckets & (PAGE_BUCKETS - 1)
        np.add.at(self._counts, pages, 1 if counts is None else counts)

    @property
    def page_count(self) -> int:
        """Pages that there is memory for."""
        return self._counts.size >> PAGE_BITS

    def stretch(self, row: int) -> tuple[int, Ints]:
        """Returns the first bucket, and the counts from there on, of where a row has samples; a copy."""
        pages = self._page_of[row * ROW_PAGES : (row + 1) * ROW_PAGES]
        filled = pages.nonzero()[0]
        if not filled.size:
            return 0, np.zeros(0, np.int64)
        first, end = int(filled[0]), int(filled[-1]) + 1
        counts = self._counts.reshape(-1, PAGE_BUCKETS)[pages[first:end]]
        return first << PAGE_BITS, counts.reshape(-1)

    def clear(self, row: int) -> None:
        """Forgets the counts of a row."""
        pages = self._page_of[row * ROW_PAGES : (row + 1) * ROW_PAGES]
        given = pages[pages != _NO_PAGE]
        self._counts.reshape(-1, PAGE_BUCKETS)[given] = 0
        self._free += given.tolist()
        pages[:] = _NO_PAGE

    def _pages(self, stretches: Ints) -> NDArray[np.intp]:
        last = int(stretches.max(initial=0))
        if last >= self._page_of.size:
            self._page_of = np.concatenate([self._page_of, np.zeros(last + 1, np.intp)])
        pages = self._page_of.take(stretches)
        if not pages.all():
            for stretch in np.unique(stretches[pages == _NO_PAGE]).tolist():
                self._page_of[stretch] = self._new_page()
            pages = self._page_of.take(stretches)
        return pages

    def _new_page(self) -> int:
        if not self._free:
            held = self.page_count
            self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)])
            self._free = list(range(2 * held - 1, held - 1, -1))
        return self._free.pop()


class ArrayHistogram(Histogram):
    """A histogram that nobody changes; its buckets are an array of counts by bucket."""

    __slots__ = ("_dense",)

    def __init__(self, dense: Ints) -> None:
        self._dense = dense
        self.count = self.total_us = self.min_us = self.max_us = 0

    @property
    def counts(self) -> dict[int, int]:  # type: ignore[override]
        """Counts by bucket: a copy, to change it changes nothing here."""
        return _as_dict(*self.cells())

    def cells(self) -> tuple[Ints, Ints]:
        """Returns the buckets that have samples, and how many each has."""
        filled = self._dense.nonzero()[0]
        return filled, self._dense[filled]

    def joined(self, other: Histogram) -> Histogram:
        """Return the samples of both together, which is not to be changed."""
        dense = self._dense.copy()
        np.add.at(dense, *_cells_of(other))
        both = ArrayHistogram(dense)
        for each in (self, other):
            if each.count:
                both.add_figures(each.count, each.total_us, each.min_us, each.max_us)
        return both

    def record(self, value_us: int, times: int = 1) -> None:
        """Raises `TypeError`."""
        raise TypeError("a histogram of an array is not to be changed")

    def add(self, other: Histogram) -> None:
        """Raises `TypeError`."""
        raise TypeError("a histogram of an array is not to be changed")

    subtract = add

    def __eq__(self, other: object) -> bool:
        return _are_equal(self, other)

    __hash__ = None  # type: ignore[assignment]


class PooledHistogram(Histogram):
    """A histogram whose buckets are rows of a pool, and which is asked for quantiles without copying them.

    Cells may be added to the pool before their figures are added here: whoever does so brings both together
    before anybody looks.
    """

    __slots__ = ("_pool", "_rows")

    def __init__(self, pool: CellPool, *rows: int) -> None:
        self._pool, self._rows = pool, rows
        self.count = self.total_us = self.min_us = self.max_us = 0

    @property
    def counts(self) -> dict[int, int]:  # type: ignore[override]
        """Counts by bucket: a copy, to change it changes nothing here."""
        return _as_dict(*self.cells())

    def cells(self) -> tuple[Ints, Ints]:
        """Returns the buckets that have samples, and how many each has."""
        first, counts = self._stretch()
        filled = counts.nonzero()[0]
        return filled + first, counts[filled]

    def record(self, value_us: int, times: int = 1) -> None:
        """Add a value, `times` times; see `Histogram.record`."""
        single = Histogram()
        single.record(value_us, times)
        self.add(single)

    def add(self, other: Histogram) -> None:
        """Merge another histogram into this one; exact."""
        if other.count:
            self._add_cells(other, sign=1)
            self.add_figures(other.count, other.total_us, other.min_us, other.max_us)

    def subtract(self, other: Histogram) -> None:
        """Take samples away that were added before; see `Histogram.subtract`."""
        self._add_cells(other, sign=-1)
        self.count -= other.count
        self.total_us -= other.total_us
        buckets, _ = self.cells()
        if not buckets.size:
            self.min_us = self.max_us = 0
            return
        lowest, highest = int(buckets[0]), int(buckets[-1])
        if bucket_index(self.min_us) != lowest:
            self.min_us = bucket_bounds(lowest)[0]
        if bucket_index(self.max_us) != highest:
            self.max_us = bucket_bounds(highest)[1] - 1

    def joined(self, other: Histogram) -> Histogram:
        """Return the samples of both together; not to be changed, it shares buckets with them."""
        if not (isinstance(other, PooledHistogram) and other._pool is self._pool):
            return super().joined(other)
        both = PooledHistogram(self._pool, *self._rows, *other._rows)
        for each in (self, other):
            if each.count:
                both.add_figures(each.count, each.total_us, each.min_us, each.max_us)
        return both

    def buckets_at(self, ranks: Sequence[int]) -> list[int]:
        """Return the bucket of each sample that is named by its rank, from 1 for the smallest."""
        first, counts = self._stretch()
        found: list[int] = (counts.cumsum().searchsorted(ranks) + first).tolist()
        return found

    def clear(self) -> None:
        """Forget all samples."""
        for row in self._rows:
            self._pool.clear(row)
        self.count = self.total_us = self.min_us = self.max_us = 0

    def __eq__(self, other: object) -> bool:
        return _are_equal(self, other)

    __hash__ = None  # type: ignore[assignment]

    def _stretch(self) -> tuple[int, Ints]:
        """Returns the first bucket, and the counts from there on, of where there are samples."""
        if len(self._rows) == 1:
            return self._pool.stretch(self._rows[0])
        stretches = [(first, counts) for first, counts in map(self._pool.stretch, self._rows) if counts.size]
        lowest = min((first for first, _ in stretches), default=0)
        end = max((first + counts.size for first, counts in stretches), default=0)
        total = np.zeros(end - lowest, np.int64)
        for first, counts in stretches:
            total[first - lowest : first - lowest + counts.size] += counts
        return lowest, total

    def _add_cells(self, other: Histogram, *, sign: int) -> None:
        buckets, counts = _cells_of(other)
        (row,) = self._rows
        self._pool.add(np.full(buckets.size, row, np.int64), buckets, counts * sign)


def _cells_of(histogram: Histogram) -> tuple[Ints, Ints]:
    if isinstance(histogram, ArrayHistogram | PooledHistogram):
        return histogram.cells()
    cells = histogram.counts
    return np.fromiter(cells.keys(), np.int64, len(cells)), np.fromiter(cells.values(), np.int64, len(cells))


def _as_dict(buckets: Ints, counts: Ints) -> dict[int, int]:
    return dict(zip(buckets.tolist(), counts.tolist(), strict=True))


def _are_equal(one: Histogram, other: object) -> bool:
    return isinstance(other, Histogram) and (
        one.counts == other.counts
        and (one.count, one.total_us, one.min_us, one.max_us)
        == (other.count, other.total_us, other.min_us, other.max_us)
    )
