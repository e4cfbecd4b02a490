"""Counts slices of many workers on the hot path: what can wait until somebody looks is gathered first.

Figures of rows are added up by place, the stretch of the run that a slice is of, and so are the cells of all
requests of a place together. Rows, seconds and the total get them when somebody looks: once for each row and
place, whatever the number of workers. Sums are the same in any grouping, so the totals are those of counting
slice by slice.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
    MAX_TOGETHER,
    MIN_US,
    REQUESTS,
    RESPONSE_BYTES,
    TOTAL_US,
    UNTIMED,
    SliceArrays,
)
from locust_master.merging.cells import ArrayHistogram
from locust_master.merging.packed import Ints
from locust_master.merging.seconds import SECOND_MS, dealt
from locust_master.merging.sums import Sums
from locust_protocol.histogram import MAX_BUCKET_INDEX

MAX_PLACES = MAX_TOGETHER
"""Places that are gathered side by side, so that any slices that are read together have room: 7 MB for
2,000 rows."""

MAX_GATHERED = 100_000
"""Slices that wait; sums of so many of `arrays.MAX_FIGURE` fit 64 bits."""

FIRST_ROWS = 64

_BUCKETS = MAX_BUCKET_INDEX + 1
_EXTREMES = LINES - MIN_US + 2
_NOTHING = -(1 << 62)
_FIRST = np.zeros(1, np.intp)


class Place(NamedTuple):
    """Where slices belong."""

    stats_epoch: int
    start_ms: int
    width_ms: int
    is_of_seconds: bool


class Placed(NamedTuple):
    """A slice's place, the latest moment of a sample in ms, and the revision of the totals with it."""

    place: Place
    last_ms: int
    revision: int


class RowSums(NamedTuple):
    """A row of one place: figures by line, as in `SliceArrays`, and the latest moment of a sample."""

    number: int
    revision: int
    figures: list[int]
    last_ms: int


@dataclass(slots=True)
class Gathered:
    """What several slices of one place add up to. `rows` came in arrays, `others` did not.

    `together` are sums of all requests, in parts.
    """

    place: Place
    together: list[Sums]
    rows: list[RowSums]
    others: list[RowSums]


class Gathering:
    """Slices by place. Rows are named by the master's numbers."""

    def __init__(self) -> None:
        self.slices = 0
        self._places: dict[Place, int] = {}
        self._sums = np.zeros((MAX_PLACES, 0, ADDED_LINES), np.int64)
        self._extremes = np.zeros((MAX_PLACES, 0, _EXTREMES), np.int64)
        """Minima as negative numbers, maxima, latest moments, revisions: of each the highest counts."""
        self._cells = np.zeros((MAX_PLACES, 2, _BUCKETS), np.int64)
        self._others: list[tuple[Sums, dict[int, RowSums]]] = [(Sums(), {}) for _ in range(MAX_PLACES)]

    @property
    def is_empty(self) -> bool:
        """True when nothing waits."""
        return not self._places

    def has_room(self, places: Iterable[Place]) -> bool:
        """True when slices of these places can be added."""
        return len(self._places.keys() | set(places)) <= MAX_PLACES and self.slices < MAX_GATHERED

    def add(
        self, places: Sequence[Placed], each: SliceArrays, numbers: Ints, are_requests: NDArray[np.bool_]
    ) -> None:
        """Adds slices, each with where it belongs; one row may come many times."""
        ends, size, lengths = each.ends, numbers.size, each.lengths
        at = np.repeat([self._place(placed.place) for placed in places], lengths)
        self._make_room(int(numbers.max()))
        rows = at * self._sums.shape[1] + numbers
        self.slices += len(ends)
        figures = each.figures
        extremes = np.empty((_EXTREMES, size), np.int64)
        np.negative(figures[MIN_US : MIN_US + 2], out=extremes[:2])
        # A row without samples has the minimum 0, which is none.
        extremes[:2][figures[COUNT:TOTAL_US] == 0] = _NOTHING
        extremes[2:4] = figures[MIN_US + 2 :]
        moments = np.array([(placed.last_ms, placed.revision) for placed in places])
        extremes[4:] = moments.repeat(lengths, axis=0).T
        order = rows.argsort(kind="stable")
        ordered = rows[order]
        firsts = np.concatenate([_FIRST, (ordered[1:] != ordered[:-1]).nonzero()[0] + 1])
        rows = ordered[firsts]
        sums = np.add.reduceat(figures[:ADDED_LINES].take(order, axis=1), firsts, axis=1)
        self._sums.reshape(-1, ADDED_LINES)[rows] += sums.T
        held = self._extremes.reshape(-1, _EXTREMES)
        highest = np.maximum.reduceat(extremes.take(order, axis=1), firsts, axis=1)
        held[rows] = np.maximum(held[rows], highest.T)
        self._add_cells(each, at, are_requests)

    def _add_cells(self, each: SliceArrays, at: Ints, are_requests: NDArray[np.bool_]) -> None:
        first = np.concatenate([at * 2, at * 2 + 1]) * _BUCKETS
        cells = first[each.cell_rows]
        cells += each.buckets
        counts = each.cell_counts
        if not are_requests.all():
            chosen = np.tile(are_requests, 2)[each.cell_rows]
            cells, counts = cells[chosen], None if counts is None else counts[chosen]
        np.add.at(self._cells.reshape(-1), cells, 1 if counts is None else counts)

    def add_row(
        self, place: Place, number: int, sums: Sums, *, is_request: bool, last_ms: int, revision: int
    ) -> None:
        """Adds a row that did not come in arrays; its own sums are the caller's."""
        together, rows = self._others[self._place(place)]
        if is_request:
            together.add(sums)
        held = rows.get(number)
        figures, latest_ms = ([0, 0], last_ms) if held is None else (held.figures, held.last_ms)
        figures[REQUESTS] += sums.requests
        figures[FAILURES] += sums.failures
        rows[number] = RowSums(number, revision, figures, max(latest_ms, last_ms))

    def take(self, are_requests: NDArray[np.bool_]) -> Iterator[Gathered]:
        """Yields what was gathered, and forgets it; `are_requests` says of each number what it counts."""
        for place, at in self._places.items():
            numbers = (self._extremes[at, :, -1] != _NOTHING).nonzero()[0]
            of_others, others = self._others[at]
            sums, extremes = self._sums[at, numbers], self._extremes[at, numbers]
            extremes[:, :2] *= -1
            together = [of_others]
            if (chosen := are_requests[numbers]).any():
                together.append(self._together(at, sums[chosen], extremes[chosen]))
            rows = [
                RowSums(number, outer[-1], added + outer[:-2], outer[-2])
                for number, added, outer in zip(
                    numbers.tolist(), sums.tolist(), extremes.tolist(), strict=True
                )
            ]
            yield Gathered(
                place, [each for each in together if not each.is_empty], rows, list(others.values())
            )
            self._forget(at)
        self._places.clear()
        self.slices = 0

    def _together(self, at: int, sums: Ints, extremes: Ints) -> Sums:
        outer = [*extremes[:, :2].min(axis=0).tolist(), *extremes[:, 2:-2].max(axis=0).tolist()]
        successful, failed = (ArrayHistogram(cells.copy()) for cells in self._cells[at])
        together = Sums(successful=successful, failed=failed)
        add_figures(together, sums.sum(axis=0).tolist() + outer)
        return together

    def _forget(self, at: int) -> None:
        self._sums[at] = 0
        self._extremes[at] = _NOTHING
        self._cells[at] = 0
        self._others[at] = (Sums(), {})

    def _place(self, place: Place) -> int:
        return self._places.setdefault(place, len(self._places))

    def _make_room(self, number: int) -> None:
        held = self._sums.shape[1]
        if number < held:
            return
        size = max(FIRST_ROWS, 2 * held, number + 1)
        wider = np.zeros((MAX_PLACES, size, ADDED_LINES), np.int64)
        extremes = np.full((MAX_PLACES, size, _EXTREMES), _NOTHING, np.int64)
        wider[:, :held], extremes[:, :held] = self._sums, self._extremes
        self._sums, self._extremes = wider, extremes


def add_figures(sums: Sums, figures: list[int]) -> None:
    """Adds the figures of a row, by line, whose cells are counted elsewhere."""
    sums.requests += figures[REQUESTS]
    sums.failures += figures[FAILURES]
    sums.untimed += figures[UNTIMED]
    sums.interrupted += figures[INTERRUPTED]
    sums.response_bytes += figures[RESPONSE_BYTES]
    for line, histogram in enumerate((sums.successful, sums.failed)):
        count, total_us, min_us, max_us = figures[COUNT + line :: 2]
        if count:
            histogram.add_figures(count, total_us, min_us, max_us)


def by_second(start_ms: int, width_ms: int, requests: int, failures: int) -> Iterable[tuple[int, int, int]]:
    """Returns second, requests and failures for each second of a slice; a joined one is dealt evenly."""
    second, parts = start_ms // SECOND_MS, max(1, width_ms // SECOND_MS)
    if parts == 1:
        return ((second, requests, failures),)
    seconds = range(second, second + parts)
    return zip(seconds, dealt(requests, parts), dealt(failures, parts), strict=True)
