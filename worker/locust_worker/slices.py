"""Samples of one stretch of run time as sums that can be added to each other, and their form on the wire.

Adding is exact and may happen in any order: counts add, histograms add bucket by bucket. So it does not
matter which runner saw a sample, nor how often slices were merged on the way to the master.

Pure. Must never change a sum that was handed out for sending: `add` copies what it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from locust_protocol.histogram import PRECISION_BITS, Histogram
from locust_protocol.histogram_codec import decode_cells
from locust_protocol.histogram_messages import write_timed
from locust_protocol.v1 import histogram_pb2, report_pb2


class MalformedSlice(ValueError):
    """A slice whose columns do not fit each other: its sender is broken."""


@dataclass(frozen=True, slots=True, order=True)
class SliceKey:
    """Which stretch of the run's timeline, in which epoch. `start_ms` is a multiple of `width_ms`."""

    start_ms: int
    width_ms: int
    stats_epoch: int

    def widened(self) -> SliceKey:
        """Returns the slice of twice the width that this one lies in."""
        width_ms = 2 * self.width_ms
        return SliceKey(self.start_ms - self.start_ms % width_ms, width_ms, self.stats_epoch)


@dataclass(slots=True)
class Row:
    """Samples of one series in one slice; the fields are those of `Slice` in the schema."""

    requests: int = 0
    failures: int = 0
    untimed: int = 0
    interrupted: int = 0
    response_bytes: int = 0
    successful: Histogram = field(default_factory=Histogram)
    failed: Histogram = field(default_factory=Histogram)
    corrected: Histogram | None = None
    phases_us: tuple[int, int, int, int] | None = None

    def add(self, other: Row) -> None:
        """Adds the samples of another row."""
        self.requests += other.requests
        self.failures += other.failures
        self.untimed += other.untimed
        self.interrupted += other.interrupted
        self.response_bytes += other.response_bytes
        self.successful.add(other.successful)
        self.failed.add(other.failed)
        if other.corrected is not None:
            self.corrected = self.corrected or Histogram()
            self.corrected.add(other.corrected)
        if other.phases_us is not None:
            a, b = self.phases_us or (0, 0, 0, 0), other.phases_us
            self.phases_us = (a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3])


@dataclass(slots=True)
class SliceTotals:
    """All samples of one slice: rows by series, counts by error and by exception."""

    rows: dict[int, Row] = field(default_factory=dict)
    errors: dict[int, int] = field(default_factory=dict)
    exceptions: dict[int, int] = field(default_factory=dict)

    def add(self, other: SliceTotals) -> None:
        """Adds the samples of another slice; shares nothing with it afterwards."""
        for series_id, row in other.rows.items():
            self.row(series_id).add(row)
        _add_counts(self.errors, other.errors.items())
        _add_counts(self.exceptions, other.exceptions.items())

    def row(self, series_id: int) -> Row:
        """Returns the row of a series, made empty when there is none."""
        row = self.rows.get(series_id)
        if row is None:
            row = self.rows[series_id] = Row()
        return row

    def halves(self) -> tuple[SliceTotals, SliceTotals]:
        """Returns two slices that together hold the same samples; for one that is too large to send."""
        first, second = SliceTotals(), SliceTotals()
        for name in ("rows", "errors", "exceptions"):
            entries = list(getattr(self, name).items())
            getattr(first, name).update(entries[: len(entries) // 2])
            getattr(second, name).update(entries[len(entries) // 2 :])
        return first, second

    @property
    def entries(self) -> int:
        """Rows and counts in it; below 2 it cannot be halved."""
        return len(self.rows) + len(self.errors) + len(self.exceptions)


Slices = dict[SliceKey, SliceTotals]
"""Samples by slice."""

IdMap = Callable[[int], int]
"""Turns a number of the sender's dictionary into one of ours."""


def add_slice(slices: Slices, key: SliceKey, totals: SliceTotals) -> None:
    """Adds samples to the slice that they belong to."""
    if key not in slices:
        slices[key] = SliceTotals()
    slices[key].add(totals)


def read_slice(
    message: report_pb2.Slice, *, series: IdMap, errors: IdMap, exceptions: IdMap
) -> tuple[SliceKey, SliceTotals]:
    """Reads a slice and translates its numbers. Raises ValueError when it is malformed."""
    totals = SliceTotals()
    ids = message.series_id
    rows = len(ids)
    columns = zip(
        ids,
        _column(message.requests, rows),
        _column(message.failures, rows),
        _column(message.untimed, rows),
        _column(message.interrupted, rows),
        _column(message.response_bytes, rows),
        _read_timed(message.successful, rows),
        _read_timed(message.failed, rows),
        _read_timed(message.corrected, rows) if message.HasField("corrected") else [None] * rows,
        _read_phases(message.phases, rows) if message.HasField("phases") else [None] * rows,
        strict=True,
    )
    for series_id, *sums in columns:
        row = Row(*sums)
        ours = series(series_id)
        if ours in totals.rows:
            totals.rows[ours].add(row)
        else:
            totals.rows[ours] = row
    _add_counts(totals.errors, _counts(message.error_id, message.error_count, errors))
    _add_counts(totals.exceptions, _counts(message.exception_id, message.exception_count, exceptions))
    return SliceKey(message.start_ms, message.width_ms, message.stats_epoch), totals


def write_slice(key: SliceKey, totals: SliceTotals) -> report_pb2.Slice:
    """Returns a slice as a message; rows are in the order of their numbers."""
    ids = sorted(totals.rows)
    rows = [totals.rows[series_id] for series_id in ids]
    message = report_pb2.Slice(
        start_ms=key.start_ms,
        width_ms=key.width_ms,
        stats_epoch=key.stats_epoch,
        series_id=ids,
        requests=[row.requests for row in rows],
        failures=[row.failures for row in rows],
        untimed=[row.untimed for row in rows],
        interrupted=[row.interrupted for row in rows],
        response_bytes=[row.response_bytes for row in rows],
        successful=write_timed([row.successful for row in rows]),
        failed=write_timed([row.failed for row in rows]),
        error_id=totals.errors.keys(),
        error_count=totals.errors.values(),
        exception_id=totals.exceptions.keys(),
        exception_count=totals.exceptions.values(),
    )
    if any(row.corrected is not None for row in rows):
        message.corrected.CopyFrom(write_timed([row.corrected or Histogram() for row in rows]))
    if any(row.phases_us is not None for row in rows):
        phases = [row.phases_us or (0, 0, 0, 0) for row in rows]
        message.phases.connect_us.extend(phase[0] for phase in phases)
        message.phases.tls_us.extend(phase[1] for phase in phases)
        message.phases.first_byte_us.extend(phase[2] for phase in phases)
        message.phases.transfer_us.extend(phase[3] for phase in phases)
    return message


def _read_timed(columns: histogram_pb2.TimedColumns, rows: int) -> list[Histogram]:
    cells = columns.cells
    if cells.cell_delta and cells.precision_bits != PRECISION_BITS:
        raise MalformedSlice(f"histograms of {cells.precision_bits} precision bits, not {PRECISION_BITS}")
    return [
        Histogram(counts, count, total_us, min_us, max_us)
        for counts, count, total_us, min_us, max_us in zip(
            decode_cells(cells.cell_delta, cells.cell_count, cells.several_delta, row_count=rows),
            _column(columns.count, rows),
            _column(columns.total_us, rows),
            _column(columns.min_us, rows),
            _column(columns.max_us, rows),
            strict=True,
        )
    ]


def _read_phases(phases: report_pb2.PhaseColumns, rows: int) -> list[tuple[int, int, int, int]]:
    return list(
        zip(
            _column(phases.connect_us, rows),
            _column(phases.tls_us, rows),
            _column(phases.first_byte_us, rows),
            _column(phases.transfer_us, rows),
            strict=True,
        )
    )


def _column(values: Sequence[int], rows: int) -> Sequence[int]:
    """Returns a column in full length; an empty one stands for zeros."""
    if not values:
        return [0] * rows
    if len(values) != rows:
        raise MalformedSlice(f"a column has {len(values)} entries for {rows} rows")
    return values


def _counts(ids: Sequence[int], counts: Sequence[int], translate: IdMap) -> Iterator[tuple[int, int]]:
    if len(ids) != len(counts):
        raise MalformedSlice(f"{len(ids)} numbers do not fit {len(counts)} counts")
    return zip(map(translate, ids), counts, strict=True)


def _add_counts(totals: dict[int, int], entries: Iterable[tuple[int, int]]) -> None:
    for number, count in entries:
        totals[number] = totals.get(number, 0) + count
