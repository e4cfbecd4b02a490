"""Folds reports: one worker's into one snapshot report, all workers' into one slice a second. Pure.

What is written is what a worker could have sent: a snapshot with the worker's own numbers. So reading a run
back is nothing but applying reports, with all the checks of that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from locust_master.merging.decoding import decode_histograms, decode_slice
from locust_master.merging.seconds import SECOND_MS
from locust_master.merging.series import Labels, SeriesTable, labels_of, series_key
from locust_master.merging.sums import Sums
from locust_master.merging.workers import add_counts
from locust_protocol.histogram import PRECISION_BITS, Histogram
from locust_protocol.histogram_codec import encode_cells
from locust_protocol.v1 import histogram_pb2, report_pb2

SliceId = tuple[int, int, int]
"""Epoch, start and width in ms."""


@dataclass(slots=True)
class Row:
    """Samples of one series, with the optional columns. Phases in µs: connect, TLS, first byte, transfer."""

    sums: Sums = field(default_factory=Sums)
    corrected: Histogram | None = None
    phases: tuple[int, int, int, int] | None = None

    def add(self, other: Row) -> None:
        """Adds the samples of another row."""
        self.sums.add(other.sums)
        if other.corrected is not None:
            self.corrected = self.corrected or Histogram()
            self.corrected.add(other.corrected)
        if other.phases is not None:
            a, b = self.phases or (0, 0, 0, 0), other.phases
            self.phases = (a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3])


@dataclass(slots=True)
class SliceContent:
    """Rows and counts of one slice by number."""

    rows: dict[int, Row] = field(default_factory=dict)
    errors: dict[int, int] = field(default_factory=dict)
    exceptions: dict[int, int] = field(default_factory=dict)

    def add_row(self, number: int, row: Row) -> None:
        """Adds samples to a series; the row may be kept."""
        if (held := self.rows.get(number)) is None:
            self.rows[number] = row
        else:
            held.add(row)


def read_slice(message: report_pb2.Slice) -> SliceContent:
    """Returns the content of a slice with its own numbers. Raises `MalformedReport`."""
    decoded = decode_slice(message)
    size = len(decoded.rows)
    corrected: Sequence[Histogram | None] = [None] * size
    if message.HasField("corrected"):
        corrected = decode_histograms(message.corrected, size, "corrected")
    phases: list[tuple[int, int, int, int] | None] = [None] * size
    if message.HasField("phases"):
        of = message.phases
        columns = zip(of.connect_us, of.tls_us, of.first_byte_us, of.transfer_us, strict=True)
        phases = list(columns) or phases
    content = SliceContent()
    for (number, sums), histogram, phase in zip(decoded.rows, corrected, phases, strict=True):
        content.add_row(number, Row(sums, histogram, phase))
    add_counts(content.errors, _summed(decoded.errors))
    add_counts(content.exceptions, _summed(decoded.exceptions))
    return content


def write_slice(place: SliceId, content: SliceContent) -> report_pb2.Slice:
    """Returns a slice as a message."""
    epoch, start_ms, width_ms = place
    ids = sorted(content.rows)
    rows = [content.rows[number] for number in ids]
    sums = [row.sums for row in rows]
    message = report_pb2.Slice(
        start_ms=start_ms,
        width_ms=width_ms,
        stats_epoch=epoch,
        series_id=ids,
        requests=[each.requests for each in sums],
        failures=[each.failures for each in sums],
        untimed=[each.untimed for each in sums],
        interrupted=[each.interrupted for each in sums],
        response_bytes=[min(each.response_bytes, (1 << 64) - 1) for each in sums],
        successful=_timed_columns([each.successful for each in sums]),
        failed=_timed_columns([each.failed for each in sums]),
        error_id=list(content.errors),
        error_count=list(content.errors.values()),
        exception_id=list(content.exceptions),
        exception_count=list(content.exceptions.values()),
    )
    if any(row.corrected is not None for row in rows):
        message.corrected.CopyFrom(_timed_columns([row.corrected or Histogram() for row in rows]))
    if any(row.phases is not None for row in rows):
        phases = [row.phases or (0, 0, 0, 0) for row in rows]
        for name, column in zip(
            ("connect_us", "tls_us", "first_byte_us", "transfer_us"), zip(*phases, strict=True), strict=True
        ):
            getattr(message.phases, name).extend(column)
    return message


class WorkerFold:
    """All that one worker contributed, out of its reports in order."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._message = report_pb2.Report(snapshot=True)
        self._epochs: dict[int, SliceContent] = {}
        self._end_ms = SECOND_MS

    def add(self, report: report_pb2.Report) -> None:
        """Adds a report; one with `snapshot` replaces all before it."""
        if report.snapshot:
            self._clear()
        for name in ("series", "errors", "exceptions"):
            getattr(self._message, name).extend(getattr(report, name))
        for message in report.slices:
            content = read_slice(message)
            self._end_ms = max(self._end_ms, message.start_ms + message.width_ms)
            held = self._epochs.setdefault(message.stats_epoch, SliceContent())
            for number, row in content.rows.items():
                held.add_row(number, row)
            add_counts(held.errors, content.errors)
            add_counts(held.exceptions, content.exceptions)
        self._message.run_id = report.run_id
        self._message.sequence = max(report.sequence, self._message.sequence)
        self._message.final = report.final

    def message(self) -> report_pb2.Report:
        """Returns it as one snapshot report: a slice an epoch, over the whole run."""
        del self._message.slices[:]
        for epoch, content in sorted(self._epochs.items()):
            self._message.slices.append(write_slice((epoch, 0, self._end_ms), content))
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

    def add(self, worker_uid: bytes, message: report_pb2.Slice) -> None:
        """Adds a worker's slice."""
        place = (message.stats_epoch, message.start_ms, message.width_ms)
        held = self._slices.setdefault(place, SliceContent())
        numbers = self._numbers[worker_uid]
        for number, row in read_slice(message).rows.items():
            held.add_row(numbers[number], row)

    def take(self) -> dict[SliceId, SliceContent]:
        """Returns the slices that came since the last call."""
        slices, self._slices = self._slices, {}
        return slices

    def add_stored(self, message: report_pb2.Slice) -> None:
        """Adds a slice that was written before, with the numbers of the run."""
        place = (message.stats_epoch, message.start_ms, message.width_ms)
        held = self._slices.setdefault(place, SliceContent())
        for number, row in read_slice(message).rows.items():
            held.add_row(number, row)


def _timed_columns(histograms: Sequence[Histogram]) -> histogram_pb2.TimedColumns:
    cell_delta, cell_count = encode_cells([histogram.counts for histogram in histograms])
    return histogram_pb2.TimedColumns(
        count=[histogram.count for histogram in histograms],
        total_us=[histogram.total_us for histogram in histograms],
        min_us=[histogram.min_us for histogram in histograms],
        max_us=[histogram.max_us for histogram in histograms],
        cells=histogram_pb2.HistogramCells(
            precision_bits=PRECISION_BITS, cell_delta=cell_delta, cell_count=cell_count
        ),
    )


def _summed(counts: Iterable[tuple[int, int]]) -> dict[int, int]:
    sums: dict[int, int] = {}
    for number, count in counts:
        sums[number] = sums.get(number, 0) + count
    return sums
