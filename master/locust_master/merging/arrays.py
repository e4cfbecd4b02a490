"""Reads a slice into arrays when nothing about it is unusual: the master's hot path.

1,000 workers send a million cells a second, so no object is made for a cell or a row. What this module takes
is checked by every rule of `decoding`; whatever is off, or too big for 64-bit arithmetic, is left to that: it
says what is wrong, or counts with integers of any size.

Pure. Must never return arrays of which a part is wrong.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from locust_master.merging.cells import Ints
from locust_master.merging.decoding import check_place, occurrences
from locust_protocol.histogram import MAX_BUCKET_INDEX, PRECISION_BITS, bucket_bounds
from locust_protocol.histogram_codec import BUCKET_BITS
from locust_protocol.v1 import report_pb2

REQUESTS, FAILURES, UNTIMED, INTERRUPTED, RESPONSE_BYTES, COUNT = range(6)
TOTAL_US, MIN_US, MAX_US = 7, 9, 11
"""Lines of `SliceArrays.figures`; from `COUNT` on each has two, of successes and of failures."""

ADDED_LINES = 9
"""Lines before `MIN_US`: figures that are added up."""

LINES = 13

MAX_FIGURE = 1 << 40
"""Of any figure, and of cells; 4 million slices then fit 64 bits."""

MAX_VALUE_US = 1 << 32
MAX_ROW_SAMPLES = 1 << 30
"""Of one row; the product with `MAX_VALUE_US` fits 64 bits."""

_BUCKET_MASK = (1 << BUCKET_BITS) - 1
_LOWEST_US = np.array(
    [*(bucket_bounds(index)[0] for index in range(MAX_BUCKET_INDEX + 1)), 1 << 62], dtype=np.int64
)
"""Lowest value of each bucket; what is over the last one's shares it."""


@dataclass(slots=True)
class SliceArrays:
    """One slice: figures by line and row, and cells, with the sender's numbers; it was read from `message`.

    `cell_rows` is the place of the row of each cell; for response times of failures it is higher by the
    number of rows. `cell_counts` is None when each cell has one sample.
    """

    message: report_pb2.Slice
    start_ms: int
    width_ms: int
    stats_epoch: int
    ids: Ints
    figures: Ints
    cell_rows: Ints
    buckets: Ints
    cell_counts: Ints | None
    errors: list[tuple[int, int]]
    exceptions: list[tuple[int, int]]

    @property
    def end_ms(self) -> int:
        """First millisecond after it."""
        return self.start_ms + self.width_ms


def read_arrays(message: report_pb2.Slice) -> SliceArrays | None:
    """Returns a slice in arrays, None when `decoding` has to look at it. Raises `MalformedReport`."""
    check_place(message)
    if message.HasField("corrected") or message.HasField("phases"):
        return None
    lines = _lines(message)
    cells = None if lines is None else _cells(message, lines[1:])
    if lines is None or cells is None or not _requests_fit(lines[1:]):
        return None
    return SliceArrays(
        message,
        message.start_ms,
        message.width_ms,
        message.stats_epoch,
        lines[0],
        lines[1:],
        *cells,
        occurrences(message.error_id, message.error_count, "errors"),
        occurrences(message.exception_id, message.exception_count, "exceptions"),
    )


def _lines(message: report_pb2.Slice) -> Ints | None:
    """Returns ids and figures, a line each; None when a column does not fit, or a figure is too big."""
    successful, failed = message.successful, message.failed
    ids = message.series_id[:]
    size = len(ids)
    flat = [*ids]
    for column in (
        message.requests,
        message.failures,
        message.untimed,
        message.interrupted,
        message.response_bytes,
        successful.count,
        failed.count,
        successful.total_us,
        failed.total_us,
        successful.min_us,
        failed.min_us,
        successful.max_us,
        failed.max_us,
    ):
        values = column[:]
        if len(values) == size:
            flat += values
        elif values:
            return None
        else:
            flat += [0] * size
    try:
        lines = np.fromiter(flat, np.int64, len(flat)).reshape(LINES + 1, size)
    except OverflowError:
        return None
    return lines if size and lines.max() <= MAX_FIGURE else None


def _cells(message: report_pb2.Slice, figures: Ints) -> tuple[Ints, Ints, Ints | None] | None:
    """Returns row, bucket and samples of each cell; None when they or their figures break a rule."""
    size = figures.shape[1]
    successes, failures = message.successful.cells, message.failed.cells
    deltas, of_failures = successes.cell_delta[:], failures.cell_delta[:]
    counts, counts_of_failures = successes.cell_count[:], failures.cell_count[:]
    split, above = len(deltas), size << BUCKET_BITS
    if len(counts) != split or len(counts_of_failures) != len(of_failures):
        return None
    deltas += of_failures
    counts += counts_of_failures
    keys = np.frombuffer(array("I", deltas), np.uint32).astype(np.int64)
    for part, cells in ((keys[:split], successes), (keys[split:], failures)):
        if part.size:
            part.cumsum(out=part)
            # A difference of 0 is a key twice.
            if cells.precision_bits != PRECISION_BITS or part[-1] >= above or (part[1:] == part[:-1]).any():
                return None
    keys[split:] += above
    rows, buckets = keys >> BUCKET_BITS, keys & _BUCKET_MASK
    cell_counts = None
    if counts.count(1) != len(counts):
        cell_counts = _counts(counts)
        if cell_counts.min() < 1 or cell_counts.max() > MAX_FIGURE:
            return None
    starts = keys.searchsorted(_edges(2 * size))
    fit = not buckets.size or buckets.max() <= MAX_BUCKET_INDEX
    fit = fit and _figures_fit(figures, starts, buckets, cell_counts)
    return (rows, buckets, cell_counts) if fit else None


def _counts(counts: list[int]) -> Ints:
    """Returns samples by cell; what does not fit 63 bits is negative or cut, and too big or too small."""
    try:
        return np.frombuffer(bytes(counts), np.uint8).astype(np.int64)
    except ValueError:
        return np.array(counts, np.uint64).astype(np.int64)


@lru_cache(maxsize=64)
def _edges(rows: int) -> Ints:
    return np.arange(rows + 1, dtype=np.int64) << BUCKET_BITS


def _figures_fit(figures: Ints, starts: Ints, buckets: Ints, cell_counts: Ints | None) -> bool:
    """True when count, total, minimum and maximum of each row fit its cells."""
    by_row = figures[COUNT:LINES].reshape(4, -1)
    held = samples = starts[1:] - starts[:-1]
    if cell_counts is not None:
        up_to = np.concatenate([np.zeros(1, np.int64), cell_counts.cumsum()])[starts]
        samples = up_to[1:] - up_to[:-1]
    filled = held.nonzero()[0]
    if not filled.size:
        return not by_row.any()
    if (samples != by_row[0]).any() or np.count_nonzero(by_row.any(axis=0)) != filled.size:
        return False
    count, total_us, low_us, high_us = by_row[:, filled]
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
    requests, failures, untimed = figures[:INTERRUPTED]
    successful, failed = figures[COUNT], figures[COUNT + 1]
    if (successful + failed + untimed != requests).any():
        return False
    if (failures == failed).all():
        return True
    return bool(((failed <= failures) & (failures <= failed + untimed)).all())
