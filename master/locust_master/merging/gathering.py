"""Counts slices of many workers on the hot path: what can wait until somebody looks is gathered first.

Sums of rows grow at once. Their cells wait a little, so that those of a row are counted together: one row
fits the processor's cache, all rows do not. What a row needs once for each second, whatever the number of
workers (rates, timelines, the histogram over all requests), is gathered by slice and counted from there.
Sums are the same in any grouping, so the totals are those of counting slice by slice.

Pure.
"""

from __future__ import annotations

from bisect import bisect_right

# What Counter.update does in C for an iterable: half the price of a loop, for one dict in place of another.
from collections import _count_elements  # type: ignore[attr-defined]
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from locust_master.merging.columns import Timed
from locust_master.merging.decoding import SliceColumns
from locust_master.merging.seconds import SECOND_MS, dealt
from locust_master.merging.series import SeriesTotals
from locust_master.merging.sums import Sums
from locust_protocol.histogram import Histogram

MAX_PLACES = 8
"""Slices that are gathered side by side; with more, what waits is counted: memory does not grow unseen."""


MAX_WAITING = 200
"""Lists of cells that wait for one row: some 4,000 cells, which are counted in 0.2 ms."""

MAX_WAITING_TOGETHER = 50
"""Lists of cells of a whole slice that wait: some 50,000 cells, counted in 2 ms."""

MANY_CELLS = 200
"""Cells of a row in one slice that are worth counting at once."""


class Place(NamedTuple):
    """Where slices belong; `last_ms` is the latest moment at which a sample can have been taken."""

    stats_epoch: int
    start_ms: int
    width_ms: int
    last_ms: int
    is_of_seconds: bool


class Gathered:
    """What several slices of one place add up to: over all requests, and counts by row."""

    __slots__ = ("_together", "by_row", "waiting")

    def __init__(self) -> None:
        self._together = Sums()
        self.waiting: list[list[int]] = []
        """Buckets of successful requests that are in all sums of `together` but the histogram's cells."""
        self.by_row: dict[int, list[int]] = {}
        """Requests, failures, and revision of the last change, by number of the row."""

    @property
    def together(self) -> Sums:
        """All requests."""
        _count_waiting(self._together, self.waiting)
        return self._together

    def add(self, each: SliceColumns) -> tuple[int, int]:
        """Adds all rows of a slice to one sum; returns their requests and failures."""
        sums, requests, failures = self._together, sum(each.requests), sum(each.failures)
        sums.requests += requests
        sums.failures += failures
        sums.untimed += sum(each.untimed)
        sums.interrupted += sum(each.interrupted)
        sums.response_bytes += sum(each.response_bytes)
        if each.successful is not None and _add_figures(sums.successful, each.successful):
            self.waiting.append(each.successful.buckets)
            if len(self.waiting) >= MAX_WAITING_TOGETHER:
                _count_waiting(sums, self.waiting)
        if each.failed is not None and _add_figures(sums.failed, each.failed):
            _count_elements(sums.failed.counts, each.failed.buckets)
        return requests, failures


def settle_row(row: SeriesTotals) -> None:
    """Counts the cells that wait for a row."""
    _count_waiting(row.sums, row.waiting)


def by_second(start_ms: int, width_ms: int, requests: int, failures: int) -> Iterable[tuple[int, int, int]]:
    """Returns second, requests and failures for each second of a slice; a joined one is dealt evenly."""
    second, parts = start_ms // SECOND_MS, max(1, width_ms // SECOND_MS)
    if parts == 1:
        return ((second, requests, failures),)
    seconds = range(second, second + parts)
    return zip(seconds, dealt(requests, parts), dealt(failures, parts), strict=True)


def add_seconds(row: SeriesTotals, start_ms: int, width_ms: int, requests: int, failures: int) -> None:
    """Counts requests of a slice in the seconds of a row."""
    for part in by_second(start_ms, width_ms, requests, failures):
        row.recent.add(*part)
        row.timeline.add(*part)


def _count_waiting(sums: Sums, waiting: list[list[int]]) -> None:
    if waiting:
        _count_elements(sums.successful.counts, chain.from_iterable(waiting))
        waiting.clear()


def add_rows(rows: Sequence[SeriesTotals], each: SliceColumns) -> None:
    """Adds a slice to the sums of its rows."""
    for row, requests, response_bytes in zip(rows, each.requests, each.response_bytes, strict=True):
        sums = row.sums
        sums.requests += requests
        sums.response_bytes += response_bytes
    if any(each.failures):
        for row, failures in zip(rows, each.failures, strict=True):
            if failures:
                row.sums.failures += failures
    if any(each.untimed) or any(each.interrupted):
        for row, untimed, interrupted in zip(rows, each.untimed, each.interrupted, strict=True):
            row.sums.untimed += untimed
            row.sums.interrupted += interrupted
    if each.successful is not None:
        _add_times([(row.sums.successful, row.waiting) for row in rows], each.successful)
        for row in rows:
            if len(row.waiting) >= MAX_WAITING:
                settle_row(row)
    if each.failed is not None:
        _add_times([(row.sums.failed, None) for row in rows], each.failed)


def note_rows(gathered: Gathered, rows: Sequence[SeriesTotals], each: SliceColumns, *, revision: int) -> None:
    """Notes requests and failures of each row, to be counted by second."""
    by_row = gathered.by_row
    for row, requests, failures in zip(rows, each.requests, each.failures, strict=True):
        held = by_row.get(row.id)
        if held is None:
            by_row[row.id] = [requests, failures, revision]
        else:
            held[0] += requests
            held[1] += failures
            held[2] = revision


def chosen_rows(each: SliceColumns, wanted: Sequence[bool]) -> SliceColumns:
    """Returns a slice with those of its rows that are wanted."""
    places = [place for place, is_wanted in enumerate(wanted) if is_wanted]

    def of(column: list[int]) -> list[int]:
        return [column[place] for place in places]

    return SliceColumns(
        each.start_ms,
        each.width_ms,
        each.stats_epoch,
        of(each.ids),
        of(each.requests),
        of(each.failures),
        of(each.untimed),
        of(each.interrupted),
        of(each.response_bytes),
        None if each.successful is None else _chosen_times(each.successful, places),
        None if each.failed is None else _chosen_times(each.failed, places),
        each.errors,
        each.exceptions,
    )


def _add_times(places: Sequence[tuple[Histogram, list[list[int]] | None]], timed: Timed) -> None:
    """Adds each row to its histogram; single cells wait in the list beside it, if there is one."""
    # Written out: 50 rows of 20 cells take 0.05 ms, and 0.22 ms with Histogram.add. Tests hold both to the
    # same sums.
    buckets, counts, starts = timed.buckets, timed.counts, timed.starts
    start = 0
    for (histogram, waiting), end, times, total_us, min_us, max_us in zip(
        places, starts[1:], timed.count, timed.total_us, timed.min_us, timed.max_us, strict=True
    ):
        if start == end:
            continue
        if not histogram.count:
            histogram.min_us, histogram.max_us = min_us, max_us
        else:
            if min_us < histogram.min_us:
                histogram.min_us = min_us
            if max_us > histogram.max_us:
                histogram.max_us = max_us
        histogram.count += times
        histogram.total_us += total_us
        if waiting is None or end - start > MANY_CELLS:
            _count_elements(histogram.counts, buckets[start:end])
        else:
            waiting.append(buckets[start:end])
        start = end
    for place in timed.several:
        cells = places[bisect_right(starts, place) - 1][0].counts
        bucket = buckets[place]
        cells[bucket] = cells.get(bucket, 0) + counts[place] - 1


def _add_figures(histogram: Histogram, timed: Timed) -> bool:
    """Adds what is not in cells that hold one sample; false when there is nothing to add."""
    filled = [place for place, times in enumerate(timed.count) if times]
    if not filled:
        return False
    min_us = min(timed.min_us[place] for place in filled)
    max_us = max(timed.max_us)
    if not histogram.count:
        histogram.min_us, histogram.max_us = min_us, max_us
    else:
        histogram.min_us = min(histogram.min_us, min_us)
        histogram.max_us = max(histogram.max_us, max_us)
    histogram.count += sum(timed.count)
    histogram.total_us += sum(timed.total_us)
    cells, buckets, counts = histogram.counts, timed.buckets, timed.counts
    for place in timed.several:
        bucket = buckets[place]
        cells[bucket] = cells.get(bucket, 0) + counts[place] - 1
    return True


def _chosen_times(timed: Timed, places: Sequence[int]) -> Timed:
    starts, buckets, counts = [0], list[int](), list[int]()
    for place in places:
        start, end = timed.starts[place], timed.starts[place + 1]
        buckets += timed.buckets[start:end]
        counts += timed.counts[start:end]
        starts.append(len(buckets))
    return Timed(
        [timed.count[place] for place in places],
        [timed.total_us[place] for place in places],
        [timed.min_us[place] for place in places],
        [timed.max_us[place] for place in places],
        starts,
        buckets,
        counts,
        [place for place, samples in enumerate(counts) if samples != 1],
    )
