"""Reports as a runner would send them, and a model of the master that adds reports up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from locust_protocol.histogram import Histogram
from locust_protocol.histogram_codec import decode_cells
from locust_protocol.histogram_messages import write_timed
from locust_protocol.v1 import report_pb2

Sample = tuple[str, int, int]
"""Request name, second of the run, response time in microseconds."""


def runner_report(run_id: bytes, samples: Iterable[Sample], *, names: dict[str, int]) -> report_pb2.Report:
    """One report of a runner; `names` are the numbers that it has given so far and is added to."""
    report = report_pb2.Report(run_id=run_id, sequence=1)
    seconds: dict[int, dict[str, Histogram]] = {}
    for name, second, response_us in samples:
        if name not in names:
            names[name] = len(names) + 1
            report.series.add(id=names[name], request_type="GET", name=name)
        seconds.setdefault(second, {}).setdefault(name, Histogram()).record(response_us)
    for second, histograms in seconds.items():
        report.slices.append(_slice(second, {names[name]: each for name, each in histograms.items()}))
    return report


def _slice(second: int, histograms: Mapping[int, Histogram]) -> report_pb2.Slice:
    rows = list(histograms.values())
    return report_pb2.Slice(
        start_ms=second * 1000,
        width_ms=1000,
        series_id=histograms.keys(),
        requests=[row.count for row in rows],
        successful=write_timed(rows),
    )


@dataclass
class ModelMaster:
    """Applies reports by the rule of the schema: next, snapshot, duplicate or gap."""

    last_sequence: int = 0
    names: dict[int, str] = field(default_factory=dict)
    buckets: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Samples by request name and histogram bucket."""
    requests: Counter[str] = field(default_factory=Counter)
    seconds: Counter[int] = field(default_factory=Counter)
    user_data: list[int] = field(default_factory=list)
    is_final: bool = False

    def take(self, report: report_pb2.Report) -> bool:
        """Returns False when an earlier report is missing."""
        if report.sequence <= self.last_sequence:
            return True
        if report.snapshot:
            self.names, self.buckets, self.requests = {}, Counter(), Counter()
            self.seconds = Counter()
        elif report.sequence != self.last_sequence + 1:
            return False
        self.last_sequence, self.is_final = report.sequence, report.final
        self.names.update({series.id: series.name for series in report.series})
        for message in report.slices:
            self._add(message)
        self.user_data += [data.data.int_value for data in report.user_data]
        return True

    def _add(self, message: report_pb2.Slice) -> None:
        cells = message.successful.cells
        size = len(message.series_id)
        rows = decode_cells(cells.cell_delta, cells.cell_count, cells.several_delta, row_count=size)
        for series_id, requests, row in zip(message.series_id, message.requests, rows, strict=True):
            name = self.names[series_id] if series_id else "(other)"
            self.requests[name] += requests
            self.seconds[message.start_ms // 1000] += requests
            for bucket, count in row.items():
                self.buckets[name, bucket] += count
