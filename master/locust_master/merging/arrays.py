"""Reads the slices of a report into arrays when nothing about them is unusual: the master's hot path.

1,000 workers send a million cells a second, so no object is made for a cell or a row. What this module takes
is checked by every rule of `decoding`; whatever is off, or too big for 64-bit arithmetic, is left to that: it
says what is wrong, or counts with integers of any size.

Pure. Must never return arrays of which a part is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np

from locust_master.merging import packed
from locust_master.merging.decoding import MAX_COUNT
from locust_master.merging.packed import Ints, read_packed
from locust_protocol.histogram import MAX_BUCKET_INDEX, bucket_bounds
from locust_protocol.histogram_codec import BUCKET_BITS
from locust_protocol.v1 import report_pb2

REQUESTS, FAILURES, UNTIMED, INTERRUPTED, RESPONSE_BYTES, COUNT = range(6)
TOTAL_US, MIN_US, MAX_US = 7, 9, 11
"""Lines of `SliceArrays.figures`; from `COUNT` on each has two, of successes and of failures."""

ADDED_LINES = 9
"""Lines before `MIN_US`: figures that are added up."""

LINES = 13

MAX_TOGETHER = 16
"""Slices that are read together: more of them take the turns of everything else."""

MAX_FIGURE = 1 << 40
"""Of any figure; 4 million slices then fit 64 bits."""

MAX_VALUE_US = 1 << 32
MAX_ROW_SAMPLES = 1 << 30
"""Of one row; the product with `MAX_VALUE_US` fits 64 bits."""

_BUCKET_MASK = (1 << BUCKET_BITS) - 1
_NOTHING = np.zeros(0, np.int64)
_LOWEST_US = np.array(
    [*(bucket_bounds(index)[0] for index in range(MAX_BUCKET_INDEX + 1)), 1 << 62], dtype=np.int64
)
"""Lowest value of each bucket; what is over the last one's shares it."""


@dataclass(slots=True)
class SliceArrays:
    """Some slices of a report: figures by line and row, and cells, with the sender's numbers.

    `ends` are the rows up to and with each slice. `cell_rows` is the row of each cell; for response times of
    failures it is higher by the number of all rows. `cell_counts` is None when each cell has one sample.
    """

    messages: Sequence[report_pb2.Slice]
    ends: list[int]
    ids: Ints
    figures: Ints
    cell_rows: Ints
    buckets: Ints
    cell_counts: Ints | None

    @property
    def starts(self) -> list[int]:
        """The first row of each slice."""
        return [0, *self.ends[:-1]]

    @property
    def lengths(self) -> list[int]:
        """The rows of each slice."""
        return [end - start for start, end in zip(self.starts, self.ends, strict=True)]

    def counts(self) -> list[list[int]]:
        """Returns requests, failures, untimed and interrupted ones of each slice."""
        return counts_of(self.figures, self.starts)

    def chosen(self, slices: Sequence[int]) -> SliceArrays:
        """Returns some of the slices, named by their places in ascending order."""
        flags = np.zeros(len(self.ends), np.bool_)
        flags[slices] = True
        rows = np.repeat(flags, self.lengths)
        cells = np.tile(rows, 2)[self.cell_rows]
        lengths = self.lengths
        return SliceArrays(
            [self.messages[place] for place in slices],
            list(accumulate(lengths[place] for place in slices)),
            self.ids[rows],
            self.figures[:, rows],
            (np.tile(rows, 2).cumsum() - 1)[self.cell_rows[cells]],
            self.buckets[cells],
            None if self.cell_counts is None else self.cell_counts[cells],
        )


def counts_of(figures: Ints, starts: Sequence[int]) -> list[list[int]]:
    """Returns requests, failures, untimed and interrupted ones of slices that start at these rows."""
    counts: list[list[int]] = np.add.reduceat(figures[:RESPONSE_BYTES], starts, axis=1).T.tolist()
    return counts


def read_arrays(slices: Sequence[report_pb2.Slice], *, max_figure: int = MAX_FIGURE) -> SliceArrays | None:
    """Returns slices in arrays, None when `decoding` has to look at them, as with one over `max_figure`."""
    columns = read_packed(slices)
    if columns is None:
        return None
    sizes = [each[packed.IDS].size for each in columns]
    together = _lines(columns, sizes)
    if together is None:
        return None
    ids, figures = together[0], together[1:]
    if together.max() > max_figure or not _requests_fit(figures):
        return None
    cells = _cells(columns, sizes, figures)
    if cells is None:
        return None
    return SliceArrays(slices, list(accumulate(sizes)), ids, figures, *cells)


def _lines(columns: list[list[Ints]], sizes: list[int]) -> Ints | None:
    """Returns ids and figures of slices, a line each; None when a column does not fit."""
    if not all(sizes):
        return None
    parts = []
    for line in zip(*(each[: packed.ROW_COLUMNS] for each in columns), strict=True):
        for part, size in zip(line, sizes, strict=True):
            if part.size != size:
                if part.size:
                    return None
                part = np.zeros(size, np.int64)
            parts.append(part)
    return np.concatenate(parts).reshape(LINES + 1, sum(sizes))


def _cells(
    columns: list[list[Ints]], sizes: list[int], figures: Ints
) -> tuple[Ints, Ints, Ints | None] | None:
    """Returns row, bucket and samples of each cell; None when they or their figures break a rule."""
    lines = [each[packed.CELL_DELTA :][line::2] for line in range(2) for each in columns]
    deltas, counts, places = zip(*lines, strict=True)
    if any(of_counts.size != of_places.size for of_counts, of_places in zip(counts, places, strict=True)):
        return None
    row_ends = list(accumulate(2 * sizes, initial=0))
    cell_ends = list(accumulate((part.size for part in deltas), initial=0))
    key_ends = [rows << BUCKET_BITS for rows in row_ends]
    # Two columns are one to arithmetic whose cost is in the calls.
    led_to = _ascending(deltas + places, key_ends[:-1] + cell_ends[:-1], key_ends[1:] + cell_ends[1:])
    if led_to is None:
        return None
    keys, several = led_to[: cell_ends[-1]], led_to[cell_ends[-1] :]
    if not keys.size:
        return None if figures[COUNT:].any() else (keys, keys, None)
    cell_counts = None
    if several.size:
        samples = np.concatenate(counts)
        if samples.min() <= 1 or samples.max() > MAX_COUNT:
            return None
        cell_counts = np.ones(keys.size, np.int64)
        cell_counts[several] = samples
    buckets = keys & _BUCKET_MASK
    if buckets.max() > MAX_BUCKET_INDEX:
        return None
    if not _figures_fit(figures, keys.searchsorted(_edges(row_ends[-1])), buckets, cell_counts):
        return None
    return keys >> BUCKET_BITS, buckets, cell_counts


def _ascending(parts: Sequence[Ints], firsts: Sequence[int], ends: Sequence[int]) -> Ints | None:
    """Returns the numbers that differences lead to, in one array; None unless they fit.

    Those of a part start from its first and have to ascend and stay below its end.
    """
    filled = [place for place, part in enumerate(parts) if part.size]
    if not filled:
        return _NOTHING
    deltas = np.concatenate(parts)
    starts = np.array([0, *accumulate(parts[place].size for place in filled[:-1])])
    # A difference of 0 is a number twice, unless it is the first.
    if deltas.size - np.count_nonzero(deltas) > starts.size - np.count_nonzero(deltas[starts]):
        return None
    first, end = np.array([[bounds[place] for place in filled] for bounds in (firsts, ends)])
    last = first + np.add.reduceat(deltas, starts)
    if np.count_nonzero(last >= end):
        return None
    deltas[starts] += first
    deltas[starts[1:]] -= last[:-1]
    return deltas.cumsum()


@lru_cache(maxsize=256)
def _edges(rows: int) -> Ints:
    return np.arange(rows + 1, dtype=np.int64) << BUCKET_BITS


def _figures_fit(figures: Ints, starts: Ints, buckets: Ints, cell_counts: Ints | None) -> bool:
    """True when count, total, minimum and maximum of each row fit its cells."""
    by_row = figures[COUNT:].reshape(4, -1)
    held = samples = starts[1:] - starts[:-1]
    if cell_counts is not None:
        up_to = np.concatenate([np.zeros(1, np.int64), cell_counts.cumsum()])[starts]
        samples = up_to[1:] - up_to[:-1]
    filled = held.nonzero()[0]
    if np.count_nonzero(samples != by_row[0]) or np.count_nonzero(by_row.any(axis=0)) != filled.size:
        return False
    count, total_us, low_us, high_us = by_row.take(filled, axis=1)
    first, last = buckets[starts[filled]], buckets[starts[filled + 1] - 1]
    if high_us.max() >= MAX_VALUE_US or count.max() > MAX_ROW_SAMPLES:
        return False
    return bool(
        (
            (_LOWEST_US[first] <= low_us)
            & (low_us < _LOWEST_US[first + 1])
            & (_LOWEST_US[last] <= high_us)
            & (high_us < _LOWEST_US[last + 1])
            & (low_us * count <= total_us)
            & (total_us <= high_us * count)
        ).all()
    )


def _requests_fit(figures: Ints) -> bool:
    """True when requests and failures fit what has a response time and what has none."""
    if figures[: INTERRUPTED + 1].max() > MAX_COUNT:
        return False
    requests, failures, untimed = figures[:INTERRUPTED]
    successful, failed = figures[COUNT], figures[COUNT + 1]
    if np.count_nonzero(successful + failed + untimed != requests):
        return False
    if not np.count_nonzero(failures != failed):
        return True
    return bool(((failed <= failures) & (failures <= failed + untimed)).all())
