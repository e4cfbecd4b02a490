"""Reads the response times of a slice's rows, with suspicion, and leaves them in columns.

The master's hot path: 1,000 workers send a million cells a second. So no object is made for a cell or a row
where a list does: the buckets of all rows are one list, made and checked by functions that loop in C.

Pure. Must never return columns of which a part is wrong.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from locust_master.merging.errors import MalformedReport
from locust_protocol.histogram import MAX_BUCKET_INDEX, PRECISION_BITS, Histogram, bucket_bounds
from locust_protocol.histogram_codec import BUCKET_BITS
from locust_protocol.v1 import histogram_pb2

MAX_TOTAL_US = 1 << 58
"""Microseconds of response times in one row: 9,000 years. Sixty such rows fit 64 bits."""

_BUCKET_MASK = (1 << BUCKET_BITS) - 1
_NO_BUCKET_ABOVE = 1 << 64
_LOWEST_US = [*(bucket_bounds(index)[0] for index in range(MAX_BUCKET_INDEX + 1)), _NO_BUCKET_ABOVE]
"""Lowest value of each bucket; what is over the last one's shares it."""


@dataclass(slots=True)
class Timed:
    """Response times of rows: figures by row, and cells: those of row r start at `starts[r]`.

    `counts` are the samples of each cell, and `several` the places of those cells that have more than one:
    few, in a report of a second.
    """

    count: list[int]
    total_us: list[int]
    min_us: list[int]
    max_us: list[int]
    starts: list[int]
    buckets: list[int]
    counts: list[int]
    several: list[int]

    def histograms(self) -> list[Histogram]:
        """Returns each row as a histogram of its own."""
        ends, buckets, counts = self.starts[1:], self.buckets, self.counts
        return [
            Histogram(dict(zip(buckets[start:end], counts[start:end], strict=True)), *figures)
            for start, end, *figures in zip(
                self.starts[:-1], ends, self.count, self.total_us, self.min_us, self.max_us, strict=True
            )
        ]


def read_timed(columns: histogram_pb2.TimedColumns, size: int, label: str) -> Timed | None:
    """Returns the response times of `size` rows, None when there are none. Raises `MalformedReport`."""
    cells = columns.cells
    count = column(columns.count, size, f"{label} count")
    total_us = column(columns.total_us, size, f"{label} total_us")
    min_us = column(columns.min_us, size, f"{label} min_us")
    max_us = column(columns.max_us, size, f"{label} max_us")
    # A slice copies lists of protobuf in half the time that an iterator takes.
    deltas, several_delta = cells.cell_delta[:], cells.several_delta[:]
    if not deltas and not several_delta and not cells.cell_count:
        if any(count) or any(total_us) or any(min_us) or any(max_us):
            raise MalformedReport(f"{label}: figures without buckets")
        return None
    if cells.precision_bits != PRECISION_BITS:
        raise MalformedReport(f"{label}: {cells.precision_bits} precision bits, not {PRECISION_BITS}")
    counts, several = _counts(len(deltas), several_delta, cells.cell_count[:], label)
    if deltas.count(0) > (deltas[0] == 0):
        raise MalformedReport(f"{label}: keys do not ascend")
    keys = list(accumulate(deltas))
    if keys[-1] >= size << BUCKET_BITS:
        raise MalformedReport(f"{label}: row {keys[-1] >> BUCKET_BITS} is not one of {size} rows")
    starts, at = [], 0
    for row in range(size):
        at = bisect_left(keys, row << BUCKET_BITS, at)
        starts.append(at)
    starts.append(len(keys))
    timed = Timed(count, total_us, min_us, max_us, starts, deltas, counts, several)
    _check_rows(timed, keys, label)
    return timed


def _counts(
    cells: int, several_delta: list[int], cell_count: list[int], label: str
) -> tuple[list[int], list[int]]:
    """Returns the samples of each cell, and the places of cells with several. Raises `MalformedReport`."""
    if len(several_delta) != len(cell_count):
        raise MalformedReport(f"{label}: {len(several_delta)} places do not fit {len(cell_count)} counts")
    counts = [1] * cells
    if not several_delta:
        return counts, []
    several = list(accumulate(several_delta))
    if several_delta.count(0) > (several_delta[0] == 0):
        raise MalformedReport(f"{label}: places of counts do not ascend")
    if several[-1] >= cells:
        raise MalformedReport(f"{label}: place {several[-1]} of a count is not one of {cells} cells")
    if min(cell_count) < 2:
        raise MalformedReport(f"{label}: a cell with several samples has the count {min(cell_count)}")
    for place, samples in zip(several, cell_count, strict=True):
        counts[place] = samples
    return counts, several


def _check_rows(timed: Timed, keys: list[int], label: str) -> None:
    """Checks that figures fit cells, and turns `timed.buckets` from key differences into buckets."""
    starts, deltas, lowest_us = timed.starts, timed.buckets, _LOWEST_US
    up_to = _samples_up_to(timed) if timed.several else starts
    previous = start = held = 0
    for row, (end, sum_to, times, total_us, low_us, high_us) in enumerate(
        zip(starts[1:], up_to[1:], timed.count, timed.total_us, timed.min_us, timed.max_us, strict=True)
    ):
        if start == end:
            if times or total_us or low_us or high_us:
                raise MalformedReport(f"{label}: row {row} has figures without buckets")
        else:
            first, last = keys[start] & _BUCKET_MASK, keys[end - 1] & _BUCKET_MASK
            if last > MAX_BUCKET_INDEX:
                raise MalformedReport(f"{label}: row {row} has bucket {last}, the last is {MAX_BUCKET_INDEX}")
            if (
                sum_to - held != times
                or not lowest_us[first] <= low_us < lowest_us[first + 1]
                or not lowest_us[last] <= high_us < lowest_us[last + 1]
                or not low_us * times <= total_us <= high_us * times
                or total_us > MAX_TOTAL_US
            ):
                raise MalformedReport(f"{label}: the figures of row {row} do not fit its buckets")
            # The row's first difference now leads from bucket to bucket instead of from key to key.
            deltas[start] = first - previous
            previous, start, held = last, end, sum_to
    timed.buckets = list(accumulate(deltas))


def _samples_up_to(timed: Timed) -> list[int]:
    """Returns the samples in all cells before each of `timed.starts`."""
    places = timed.several
    more = [0, *accumulate(timed.counts[place] - 1 for place in places)]
    return [start + more[bisect_left(places, start)] for start in timed.starts]


def column(values: Sequence[int], size: int, label: str) -> list[int]:
    """Returns a column in full length; an empty one stands for zeros, as proto3 sends them."""
    if not values:
        return [0] * size
    if len(values) != size:
        raise MalformedReport(f"column {label} has {len(values)} entries for {size} rows")
    return list(values[:])
