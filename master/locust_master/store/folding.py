"""Folds reports: one worker's into one snapshot report, all workers' into one slice a second. Pure.

What is written is what a worker could have sent: a snapshot with the worker's own numbers. So reading a run
back is nothing but applying reports, with all the checks of that.
"""

from __future__ import annotations

from collections.abc import Iterable

from locust_master.merging.seconds import SECOND_MS
from locust_master.merging.series import Labels, SeriesTable, labels_of, series_key
from locust_master.store.slice_content import ReadSlice, SliceContent, SliceId, read_slices
from locust_protocol.v1 import report_pb2


class WorkerFold:
    """All that one worker contributed, out of its reports in order."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._message = report_pb2.Report(snapshot=True)
        self._epochs: dict[int, SliceContent] = {}
        self._end_ms = SECOND_MS

    def add(self, report: report_pb2.Report) -> list[ReadSlice]:
        """Adds a report; one with `snapshot` replaces all before it. Returns its slices as they were read."""
        if report.snapshot:
            self._clear()
        for name in ("series", "errors", "exceptions"):
            getattr(self._message, name).extend(getattr(report, name))
        slices = list(read_slices(report.slices))
        for each in slices:
            message = each.message
            self._end_ms = max(self._end_ms, message.start_ms + message.width_ms)
            content = self._epochs.setdefault(message.stats_epoch, SliceContent())
            content.add(each)
            content.add_counts(message)
        self._message.run_id = report.run_id
        self._message.sequence = max(report.sequence, self._message.sequence)
        self._message.final = report.final
        return slices

    def message(self) -> report_pb2.Report:
        """Returns it as one snapshot report: a slice an epoch, over the whole run."""
        del self._message.slices[:]
        for epoch, content in sorted(self._epochs.items()):
            content.fill(self._message.slices.add(), (epoch, 0, self._end_ms))
        return self._message


class SecondsFold:
    """All workers' samples by slice, with one numbering of the series for the run."""

    def __init__(self, table: SeriesTable) -> None:
        self._slices: dict[SliceId, SliceContent] = {}
        self._table = table
        self._numbers: dict[bytes, dict[int, int]] = {}
        self._label_sets: dict[bytes, dict[int, Labels]] = {}

    def learn(self, worker_uid: bytes, series: Iterable[report_pb2.SeriesDefinition]) -> None:
        """Takes a worker's definitions, in order."""
        numbers = self._numbers.setdefault(worker_uid, {0: 0})
        label_sets = self._label_sets.setdefault(worker_uid, {0: ()})
        for definition in series:
            if definition.labels:
                label_sets[definition.label_set_id] = labels_of(definition)
            parent_id = numbers[definition.parent_id] if definition.HasField("parent_id") else None
            key = series_key(definition, labels=label_sets[definition.label_set_id], parent_id=parent_id)
            numbers[definition.id] = self._table.number(key)

    def add(self, worker_uid: bytes, each: ReadSlice) -> None:
        """Adds a worker's slice."""
        self._slices.setdefault(each.place, SliceContent()).add(each, self._numbers[worker_uid])

    def take(self) -> dict[SliceId, SliceContent]:
        """Returns the slices that came since the last call."""
        slices, self._slices = self._slices, {}
        return slices
