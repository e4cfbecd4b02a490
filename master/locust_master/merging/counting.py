"""Where the samples of a slice go: to the rows of their series, to the total, and to the seconds of the run.

Pure. Must never count a slice in one of them and not in the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from locust_master.merging.ahead import Block, SlicePart
from locust_master.merging.arrays import SliceArrays, counts_of
from locust_master.merging.cells import CellPool, PooledHistogram
from locust_master.merging.decoding import DecodedSlice, decode_slice
from locust_master.merging.gathering import Gathered, Gathering, Placed, add_figures, by_second
from locust_master.merging.history import History
from locust_master.merging.packed import Ints
from locust_master.merging.seconds import SECOND_MS
from locust_master.merging.series import OTHER_ID, SeriesKey, SeriesTable, SeriesTotals
from locust_master.merging.sums import Counts, Sums
from locust_master.merging.workers import Dictionary
from locust_protocol.v1 import report_pb2

_TOTAL_KEY = SeriesKey(report_pb2.SERIES_KIND_REQUEST, "", "")


@dataclass(slots=True)
class _Pending:
    """Slices of one block that are checked and not counted yet."""

    block: Block
    slices: list[int] = field(default_factory=list)
    placed: list[Placed] = field(default_factory=list)
    numbers: list[Ints] = field(default_factory=list)


class Counting:
    """Rows, their total over all requests, and seconds; what `settle` gave them is what they show."""

    def __init__(self, *, max_series: int) -> None:
        self.series = SeriesTable(max_series=max_series)
        pool = CellPool()
        successful, failed = PooledHistogram(pool, 0), PooledHistogram(pool, 1)
        self.total = SeriesTotals(OTHER_ID, _TOTAL_KEY, Sums(successful=successful, failed=failed))
        self.history = History()
        self.changes = 0
        """How often rows, total or seconds were changed."""
        self.is_held = False
        """While it is True nothing is changed unless somebody calls `settle`; what comes waits."""
        self._gathering = Gathering()
        self._pending: list[_Pending] = []

    def add(
        self,
        placed: Sequence[Placed],
        slices: SlicePart | Sequence[DecodedSlice],
        known: Dictionary,
        *,
        epoch: int,
    ) -> list[Counts]:
        """Counts slices, of which those of `epoch` are shown; returns the requests of each."""
        revision = placed[-1].revision
        if not self._has_room(placed):
            self.settle(epoch=epoch, revision=revision)
        counts = None
        if isinstance(slices, SlicePart):
            counts = self._add_part(placed, slices, known, epoch=epoch)
            rows: Sequence[DecodedSlice] = () if counts else [decode_slice(each) for each in slices.messages]
        else:
            rows = slices
        if counts is None:
            counts = [
                self._add_rows(of, each, known, epoch=epoch) for of, each in zip(placed, rows, strict=True)
            ]
        if any(each.place.width_ms != SECOND_MS for each in placed):
            # How counts are dealt to seconds must not depend on who looks when.
            self.settle(epoch=epoch, revision=revision)
        return counts

    def _has_room(self, placed: Sequence[Placed]) -> bool:
        waiting = chain.from_iterable(pending.placed for pending in self._pending)
        return self._gathering.has_room(each.place for each in chain(waiting, placed))

    def _add_part(
        self, placed: Sequence[Placed], part: SlicePart, known: Dictionary, *, epoch: int
    ) -> list[Counts] | None:
        """Lets slices wait for the others that were read with them; None when a number is too big."""
        arrays = part.block.arrays
        rows = part.rows
        numbers = known.numbers(arrays.ids[rows])
        if numbers is None:
            return None
        if not self._pending or self._pending[-1].block is not part.block:
            if not self.is_held:
                self._count_pending(epoch=epoch)
            self._pending.append(_Pending(part.block))
        pending = self._pending[-1]
        pending.placed += placed
        pending.slices += range(part.first, part.end)
        pending.numbers.append(numbers)
        are_requests = self.series.are_requests[numbers]
        if are_requests.all():
            return [Counts(*each) for each in part.block.counts[part.first : part.end]]
        return [Counts(*each) for each in counts_of(arrays.figures[:, rows] * are_requests, part.starts)]

    def _count_pending(self, *, epoch: int) -> None:
        """Counts the slices that wait, block by block."""
        waiting, self._pending = self._pending, []
        for pending in waiting:
            slices = pending.block.arrays
            if len(pending.slices) < len(slices.ends):
                slices = slices.chosen(pending.slices)
            numbers = np.concatenate(pending.numbers)
            self._gathering.add(pending.placed, slices, numbers, self.series.are_requests[numbers])
            self._add_cells(pending.placed, slices, numbers, epoch=epoch)

    def _add_cells(self, placed: Sequence[Placed], slices: SliceArrays, numbers: Ints, *, epoch: int) -> None:
        """Adds cells to those of their rows in the pool."""
        rows, buckets, counts = slices.cell_rows, slices.buckets, slices.cell_counts
        are_shown = [each.place.stats_epoch == epoch for each in placed]
        if not all(are_shown):
            chosen = np.tile(np.repeat(are_shown, slices.lengths), 2)[rows]
            rows, buckets = rows[chosen], buckets[chosen]
            counts = None if counts is None else counts[chosen]
        of_rows = np.concatenate([numbers << 1, (numbers << 1) + 1])
        self.series.pool.add(of_rows[rows], buckets, counts)

    def _add_rows(self, placed: Placed, each: DecodedSlice, known: Dictionary, *, epoch: int) -> Counts:
        self.changes += 1
        place, last_ms, revision = placed
        counts = Counts()
        for theirs, sums in each.rows:
            row = self.series.row(known.series[theirs])
            is_request = row.key.kind == report_pb2.SERIES_KIND_REQUEST
            if is_request:
                counts.add(sums)
            if place.stats_epoch == epoch:
                row.sums.add(sums)
            self._gathering.add_row(
                place, row.id, sums, is_request=is_request, last_ms=last_ms, revision=revision
            )
        return counts

    def settle(self, *, epoch: int, revision: int) -> None:
        """Gives what was gathered to rows, total and seconds."""
        self.changes += bool(self._pending) or not self._gathering.is_empty
        self._count_pending(epoch=epoch)
        for each in self._gathering.take(self.series.are_requests):
            place = each.place
            if place.is_of_seconds:
                for sums in each.together:
                    self.history.add(place.start_ms, place.width_ms, sums, revision=revision)
            if place.stats_epoch == epoch:
                self._settle_rows(each)
                if each.together:
                    self._settle_total(each, revision)

    def _settle_rows(self, each: Gathered) -> None:
        for of_row in each.rows:
            add_figures(self.series.row(of_row.number).sums, of_row.figures)
        for number, revision, (requests, failures, *_), last_ms in (*each.rows, *each.others):
            row = self.series.row(number)
            row.widen(each.place.start_ms, last_ms)
            row.touch(revision)
            if each.place.is_of_seconds:
                add_seconds(row, each.place.start_ms, each.place.width_ms, requests, failures)

    def _settle_total(self, each: Gathered, revision: int) -> None:
        place = each.place
        of_requests = [
            row.last_ms for row in (*each.rows, *each.others) if self.series.are_requests[row.number]
        ]
        self.total.widen(place.start_ms, max(of_requests))
        self.total.touch(revision)
        for sums in each.together:
            self.total.sums.add(sums)
            if place.is_of_seconds:
                add_seconds(self.total, place.start_ms, place.width_ms, sums.requests, sums.failures)


def add_seconds(row: SeriesTotals, start_ms: int, width_ms: int, requests: int, failures: int) -> None:
    """Counts requests of a slice in the seconds of a row."""
    for part in by_second(start_ms, width_ms, requests, failures):
        row.recent.add(*part)
        row.timeline.add(*part)
