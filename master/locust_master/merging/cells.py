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

    def dense(self, row: int) -> Ints:
        """Returns the counts of all buckets of a row, zeros included; a copy."""
        found = np.zeros((ROW_PAGES, PAGE_BUCKETS), np.int64)
        pages = self._page_of[row * ROW_PAGES : (row + 1) * ROW_PAGES]
        filled = pages.nonzero()[0]
        found[filled] = self._counts.reshape(-1, PAGE_BUCKETS)[pages[filled]]
        return found.reshape(-1)

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
        dense = self._dense()
        filled = dense.nonzero()[0]
        return dict(zip(filled.tolist(), dense[filled].tolist(), strict=True))

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
        dense = self._dense()
        filled = dense.nonzero()[0]
        if not filled.size:
            self.min_us = self.max_us = 0
            return
        if not dense[bucket_index(self.min_us)]:
            self.min_us = bucket_bounds(int(filled[0]))[0]
        if not dense[bucket_index(self.max_us)]:
            self.max_us = bucket_bounds(int(filled[-1]))[1] - 1

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
        found: list[int] = self._dense().cumsum().searchsorted(ranks).tolist()
        return found

    def clear(self) -> None:
        """Forget all samples."""
        for row in self._rows:
            self._pool.clear(row)
        self.count = self.total_us = self.min_us = self.max_us = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self.copy() == (
            other.copy() if isinstance(other, PooledHistogram) else other
        )

    __hash__ = None  # type: ignore[assignment]

    def _dense(self) -> Ints:
        first, *more = self._rows
        dense = self._pool.dense(first)
        for row in more:
            dense += self._pool.dense(row)
        return dense

    def _add_cells(self, other: Histogram, *, sign: int) -> None:
        cells = other.counts
        buckets = np.fromiter(cells.keys(), np.int64, len(cells))
        counts = np.fromiter(cells.values(), np.int64, len(cells))
        (row,) = self._rows
        self._pool.add(np.full(len(cells), row, np.int64), buckets, counts * sign)
