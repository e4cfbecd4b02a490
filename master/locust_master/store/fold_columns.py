"""Adds slices up in arrays: what the folding of a journal costs, and so how large it grows.

Slices are only put side by side when they come; when somebody looks, or too much waits, equal rows and equal
cells are brought together by sorting. A slice of 50 rows and 1,000 cells costs 0.1 ms, a fifteenth of what it
costs row by row.

Pure. Gives exactly the columns that adding row by row gives.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from locust_master.merging.arrays import ADDED_LINES, COUNT, LINES, MAX_US, MIN_US, TOTAL_US
from locust_master.merging.packed import Ints
from locust_master.merging.sums import Sums
from locust_protocol.histogram import PRECISION_BITS, Histogram
from locust_protocol.histogram_codec import BUCKET_BITS, MAX_ROWS
from locust_protocol.v1 import histogram_pb2, report_pb2

MAX_WAITING = 100_000
"""Cells that wait side by side, some 2 MB."""

MAX_SUM = 1 << 61
"""Sums beyond it are nobody's seconds or bytes, but are added up in integers of any size."""

_FAILED = 1 << 56
"""Bit of a cell's key that tells failures from successes; below it are the row's number and the bucket."""

_BUCKET_MASK = (1 << BUCKET_BITS) - 1
_NO_MIN = np.iinfo(np.int64).max
_NOTHING = np.zeros(0, np.int64)
_NO_FIGURES = np.zeros((LINES, 0), np.int64)


class ColumnSums:
    """Sums by row number: figures, and samples by bucket."""

    def __init__(self) -> None:
        self._numbers = [_NOTHING]
        self._figures = [_NO_FIGURES]
        self._keys = [_NOTHING]
        self._counts = [_NOTHING]
        self._waiting = 0

    def add(
        self, numbers: Ints, figures: Ints, cell_rows: Ints, buckets: Ints, cell_counts: Ints | None
    ) -> None:
        """Adds rows; numbers may repeat. The rest is as in `SliceArrays`, and may be kept."""
        bases = numbers << BUCKET_BITS
        keys = np.concatenate([bases, bases | _FAILED])[cell_rows]
        keys |= buckets
        self._numbers.append(numbers)
        self._figures.append(figures)
        self._keys.append(keys)
        self._counts.append(np.ones(keys.size, np.int64) if cell_counts is None else cell_counts)
        self._waiting += keys.size + numbers.size
        if self._waiting > MAX_WAITING:
            self._bring_together()

    @property
    def is_empty(self) -> bool:
        """True when there is no row."""
        return not any(each.size for each in self._numbers)

    @property
    def fits(self) -> bool:
        """True while no sum is too big for arrays."""
        self._bring_together()
        return bool(self._figures[0].max(initial=0) < MAX_SUM)

    def requests_and_failures(self) -> tuple[int, int]:
        """Returns the sums over all rows."""
        requests, failures = (int(sum(each[line].sum() for each in self._figures)) for line in range(2))
        return requests, failures

    def rows(self) -> Iterator[tuple[int, Sums]]:
        """Yields the rows as objects."""
        self._bring_together()
        numbers, figures = self._numbers[0], self._figures[0]
        keys, counts = self._keys[0], self._counts[0]
        for place, number in enumerate(numbers.tolist()):
            line: list[int] = figures[:, place].tolist()
            both = []
            for half, failed in enumerate((0, _FAILED)):
                base = number << BUCKET_BITS | failed
                first, end = keys.searchsorted((base, base + _BUCKET_MASK + 1)).tolist()
                buckets = (keys[first:end] & _BUCKET_MASK).tolist()
                cells = dict(zip(buckets, counts[first:end].tolist(), strict=True))
                both.append(Histogram(cells, *line[COUNT + half :: 2]))
            requests, failures, untimed, interrupted, response_bytes = line[:COUNT]
            yield number, Sums(requests, failures, untimed, interrupted, response_bytes, *both)

    def fill(self, message: report_pb2.Slice) -> None:
        """Sets the columns of rows in a slice that has none."""
        self._bring_together()
        numbers, figures = self._numbers[0], self._figures[0]
        message.series_id.extend(numbers.tolist())
        columns = (
            message.requests,
            message.failures,
            message.untimed,
            message.interrupted,
            message.response_bytes,
        )
        for line, column in enumerate(columns):
            column.extend(figures[line].tolist())
        keys, counts = self._keys[0], self._counts[0]
        split = int(keys.searchsorted(_FAILED))
        for half, (part, cells) in enumerate(
            ((message.successful, slice(split)), (message.failed, slice(split, None)))
        ):
            _fill_times(part, figures[COUNT + half :: 2], numbers, keys[cells] & ~_FAILED, counts[cells])

    def _bring_together(self) -> None:
        if len(self._numbers) == 1:
            return
        numbers, starts, order = _groups(np.concatenate(self._numbers))
        figures = np.hstack(self._figures)[:, order]
        # A row without samples has the minimum 0, which is none.
        lowest = np.where(figures[COUNT:TOTAL_US] > 0, figures[MIN_US:MAX_US], _NO_MIN)
        together = np.zeros((LINES, numbers.size), np.int64)
        if numbers.size:
            together[:ADDED_LINES] = np.add.reduceat(figures[:ADDED_LINES], starts, axis=1)
            lowest = np.minimum.reduceat(lowest, starts, axis=1)
            together[MIN_US:MAX_US] = np.where(lowest == _NO_MIN, 0, lowest)
            together[MAX_US:] = np.maximum.reduceat(figures[MAX_US:], starts, axis=1)
        keys, starts, order = _groups(np.concatenate(self._keys))
        counts = np.concatenate(self._counts)[order]
        if keys.size:
            counts = np.add.reduceat(counts, starts)
        self._numbers, self._figures, self._keys, self._counts = [numbers], [together], [keys], [counts]
        self._waiting = 0


def _groups(values: Ints) -> tuple[Ints, Ints, Ints]:
    """Returns the different values in order, where each starts once they are sorted, and that order."""
    order = values.argsort(kind="stable")  # they come in sorted stretches, which it merges
    ordered = values[order]
    is_first = np.ones(ordered.size, np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    starts = is_first.nonzero()[0]
    return ordered[starts], starts, order


def _fill_times(
    part: histogram_pb2.TimedColumns, figures: Ints, numbers: Ints, keys: Ints, counts: Ints
) -> None:
    for column, line in zip((part.count, part.total_us, part.min_us, part.max_us), figures, strict=True):
        column.extend(line.tolist())
    places = numbers.searchsorted(keys >> BUCKET_BITS)
    assert numbers.size <= MAX_ROWS, "a worker's and a run's series are fewer"
    deltas = np.diff(places << BUCKET_BITS | keys & _BUCKET_MASK, prepend=0)
    part.cells.precision_bits = PRECISION_BITS
    part.cells.cell_delta.extend(deltas.tolist())
    several = (counts > 1).nonzero()[0]
    part.cells.cell_count.extend(counts[several].tolist())
    part.cells.several_delta.extend(np.diff(several, prepend=0).tolist())
