"""Where the samples of a slice go: to the rows of their series, to the total, and to the seconds of the run.

Pure. Must never count a slice in one of them and not in the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from locust_master.merging.arrays import SliceArrays
from locust_master.merging.cells import CellPool, PooledHistogram
from locust_master.merging.decoding import DecodedSlice, decode_slice
from locust_master.merging.gathering import Gathered, Gathering, Place, add_figures, by_second
from locust_master.merging.history import History
from locust_master.merging.packed import Ints
from locust_master.merging.seconds import SECOND_MS
from locust_master.merging.series import OTHER_ID, SeriesKey, SeriesTable, SeriesTotals
from locust_master.merging.sums import Counts, Sums
from locust_master.merging.workers import Dictionary
from locust_protocol.v1 import report_pb2

Placed = Sequence[tuple[Place, int]]
"""Of each slice, where it belongs, and the latest moment of a sample in ms."""

_TOTAL_KEY = SeriesKey(report_pb2.SERIES_KIND_REQUEST, "", "")


class Counting:
    """Rows, their total over all requests, and seconds; what `settle` gave them is what they show."""

    def __init__(self, *, max_series: int) -> None:
        self.series = SeriesTable(max_series=max_series)
        pool = CellPool()
        successful, failed = PooledHistogram(pool, 0), PooledHistogram(pool, 1)
        self.total = SeriesTotals(OTHER_ID, _TOTAL_KEY, Sums(successful=successful, failed=failed))
        self.history = History()
        self._gathering = Gathering()

    def add(
        self,
        placed: Placed,
        slices: SliceArrays | Sequence[DecodedSlice],
        known: Dictionary,
        *,
        epoch: int,
        revision: int,
    ) -> list[Counts]:
        """Counts slices, of which those of `epoch` are shown; returns the requests of each."""
        if not self._gathering.has_room(place for place, _ in placed):
            self.settle(epoch=epoch, revision=revision)
        counts = None
        if isinstance(slices, SliceArrays):
            counts = self._add_arrays(placed, slices, known, epoch=epoch, revision=revision)
            rows: Sequence[DecodedSlice] = () if counts else [decode_slice(each) for each in slices.messages]
        else:
            rows = slices
        if counts is None:
            counts = [
                self._add_rows(place, each, known, last_ms=last_ms, epoch=epoch, revision=revision)
                for (place, last_ms), each in zip(placed, rows, strict=True)
            ]
        if any(place.width_ms != SECOND_MS for place, _ in placed):
            # How counts are dealt to seconds must not depend on who looks when.
            self.settle(epoch=epoch, revision=revision)
        return counts

    def _add_arrays(
        self, placed: Placed, slices: SliceArrays, known: Dictionary, *, epoch: int, revision: int
    ) -> list[Counts] | None:
        numbers = known.numbers(slices.ids)
        if numbers is None:
            return None
        are_requests = self.series.are_requests[numbers]
        counts = self._gathering.add(placed, slices, numbers, are_requests, revision=revision)
        if counts is not None:
            self._add_cells(placed, slices, numbers, epoch=epoch)
        return counts

    def _add_cells(self, placed: Placed, slices: SliceArrays, numbers: Ints, *, epoch: int) -> None:
        """Adds cells to those of their rows in the pool."""
        rows, buckets, counts = slices.cell_rows, slices.buckets, slices.cell_counts
        if any(place.stats_epoch != epoch for place, _ in placed):
            starts = [0, *slices.ends[:-1]]
            lengths = [end - start for start, end in zip(starts, slices.ends, strict=True)]
            are_shown = np.repeat([place.stats_epoch == epoch for place, _ in placed], lengths)
            chosen = np.tile(are_shown, 2)[rows]
            rows, buckets = rows[chosen], buckets[chosen]
            counts = None if counts is None else counts[chosen]
        of_rows = np.concatenate([numbers << 1, (numbers << 1) + 1])
        self.series.pool.add(of_rows[rows], buckets, counts)

    def _add_rows(
        self, place: Place, each: DecodedSlice, known: Dictionary, *, last_ms: int, epoch: int, revision: int
    ) -> Counts:
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
