"""Where the samples of a slice go: to the rows of their series, to the total, and to the seconds of the run.

Pure. Must never count a slice in one of them and not in the others.
"""

from __future__ import annotations

from locust_master.merging.arrays import SliceArrays
from locust_master.merging.decoding import DecodedSlice, decode_slice
from locust_master.merging.gathering import (
    MAX_GATHERED,
    Gathered,
    Place,
    Target,
    add_cells,
    add_figures,
    by_second,
)
from locust_master.merging.history import History
from locust_master.merging.seconds import SECOND_MS
from locust_master.merging.series import OTHER_ID, SeriesKey, SeriesTable, SeriesTotals
from locust_master.merging.sums import Counts
from locust_master.merging.workers import Dictionary
from locust_protocol.v1 import report_pb2

AnySlice = SliceArrays | DecodedSlice

MAX_PLACES = 8
"""Slices that are gathered side by side; with more, what waits is counted: memory does not grow unseen."""

_TOTAL_KEY = SeriesKey(report_pb2.SERIES_KIND_REQUEST, "", "")


class Counting:
    """Rows, their total over all requests, and seconds; what `settle` gave them is what they show."""

    def __init__(self, *, max_series: int) -> None:
        self.series = SeriesTable(max_series=max_series)
        self.total = SeriesTotals(OTHER_ID, _TOTAL_KEY)
        self.history = History()
        self._gathered: dict[Place, Gathered] = {}

    def add(self, place: Place, each: AnySlice, known: Dictionary, *, epoch: int, revision: int) -> Counts:
        """Counts the rows of a slice, of which those of `epoch` are shown; returns its requests."""
        gathered = self._gathered.get(place)
        if gathered is None:
            if len(self._gathered) >= MAX_PLACES:
                self.settle(epoch=epoch, revision=revision)
            gathered = self._gathered[place] = Gathered()
        is_shown = place.stats_epoch == epoch
        numbers = known.numbers(each.ids) if isinstance(each, SliceArrays) else None
        if isinstance(each, SliceArrays) and numbers is not None:
            if is_shown:
                add_cells(self.series.pool, each, numbers)
            counts = gathered.add(each, Target(numbers, self.series.are_requests(numbers)), revision=revision)
        else:
            decoded = decode_slice(each.message) if isinstance(each, SliceArrays) else each
            counts = self._add_rows(gathered, decoded, known, is_shown=is_shown, revision=revision)
        if place.width_ms != SECOND_MS or gathered.slices >= MAX_GATHERED:
            # How counts are dealt to seconds must not depend on who looks when.
            self.settle(epoch=epoch, revision=revision)
        return counts

    def _add_rows(
        self, gathered: Gathered, each: DecodedSlice, known: Dictionary, *, is_shown: bool, revision: int
    ) -> Counts:
        counts = Counts()
        for theirs, sums in each.rows:
            row = self.series.row(known.series[theirs])
            is_request = row.key.kind == report_pb2.SERIES_KIND_REQUEST
            if is_request:
                counts.add(sums)
            if is_shown:
                row.sums.add(sums)
            gathered.add_row(row, sums, is_request=is_request, revision=revision)
        return counts

    def settle(self, *, epoch: int, revision: int) -> None:
        """Gives what was gathered to rows, total and seconds."""
        gathered, self._gathered = self._gathered, {}
        for place, each in gathered.items():
            span, together = (place.start_ms, place.width_ms), each.together()
            if place.is_of_seconds:
                self.history.add(*span, together, revision=revision)
            if place.stats_epoch != epoch:
                continue
            self._settle_rows(place, each)
            if not together.is_empty:
                self.total.sums.add(together)
                self.total.widen(place.start_ms, place.last_ms)
                self.total.touch(revision)
                if place.is_of_seconds:
                    add_seconds(self.total, *span, together.requests, together.failures)

    def _settle_rows(self, place: Place, each: Gathered) -> None:
        for number, figures, _ in each.rows():
            add_figures(self.series.row(number).sums, figures)
        for number, requests, failures, revision in each.seconds_of_rows():
            row = self.series.row(number)
            row.widen(place.start_ms, place.last_ms)
            row.touch(revision)
            if place.is_of_seconds:
                add_seconds(row, place.start_ms, place.width_ms, requests, failures)


def add_seconds(row: SeriesTotals, start_ms: int, width_ms: int, requests: int, failures: int) -> None:
    """Counts requests of a slice in the seconds of a row."""
    for part in by_second(start_ms, width_ms, requests, failures):
        row.recent.add(*part)
        row.timeline.add(*part)
