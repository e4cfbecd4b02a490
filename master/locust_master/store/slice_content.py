"""One slice's rows and counts by number: read from messages, added up, written as a message. Pure.

What can be read into arrays is added up there; whatever is unusual about a slice (columns that few have, sums
that are too big), is kept row by row, and then all of its content is written so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from locust_master.merging.arrays import MAX_TOGETHER, SliceArrays, read_arrays
from locust_master.merging.decoding import decode_histograms, decode_slice
from locust_master.merging.packed import Ints
from locust_master.merging.sums import Sums
from locust_master.merging.workers import add_counts
from locust_master.store.fold_columns import ColumnSums
from locust_protocol.histogram import Histogram
from locust_protocol.histogram_messages import write_timed
from locust_protocol.v1 import report_pb2

MAX_FIGURE = 1 << 55
"""Of a folded slice: a thousand years of response times."""

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


@dataclass(frozen=True, slots=True)
class ReadSlice:
    """A slice as it was read, with the sender's numbers: `rows`, unless it could be read into arrays."""

    message: report_pb2.Slice
    rows: tuple[tuple[int, Row], ...] = ()
    ids: Ints | None = None
    cells: tuple[Ints, Ints, Ints, Ints | None] | None = None
    """Figures, rows of cells, buckets and samples, as `SliceArrays` has them."""

    @property
    def place(self) -> SliceId:
        """Which slice it is."""
        return self.message.stats_epoch, self.message.start_ms, self.message.width_ms


def read_slices(messages: Sequence[report_pb2.Slice]) -> Iterator[ReadSlice]:
    """Yields slices in order. Raises `MalformedReport`."""
    for first in range(0, len(messages), MAX_TOGETHER):
        some = messages[first : first + MAX_TOGETHER]
        arrays = read_arrays(some, max_figure=MAX_FIGURE)
        yield from map(_read_rows, some) if arrays is None else _parts(some, arrays)


class SliceContent:
    """What several slices add up to."""

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}
        self._columns = ColumnSums()
        self._errors: dict[int, int] = {}
        self._exceptions: dict[int, int] = {}

    def add(self, each: ReadSlice, numbers: Mapping[int, int] | None = None) -> None:
        """Adds the rows of a slice; `numbers` translates those of its series."""
        if each.ids is not None and each.cells is not None:
            ids = each.ids
            if numbers is not None:
                ids = np.array([numbers[number] for number in ids.tolist()], np.int64)
            self._columns.add(ids, *each.cells)
        for number, row in each.rows:
            self._add_row(number if numbers is None else numbers[number], row)

    def add_counts(self, message: report_pb2.Slice) -> None:
        """Adds the errors and exceptions of a slice, with the sender's numbers."""
        add_counts(self._errors, _summed(zip(message.error_id, message.error_count, strict=True)))
        add_counts(self._exceptions, _summed(zip(message.exception_id, message.exception_count, strict=True)))

    def requests_and_failures(self) -> tuple[int, int]:
        """Returns the sums over all rows."""
        requests, failures = self._columns.requests_and_failures()
        sums = [row.sums for row in self._rows.values()]
        return requests + sum(s.requests for s in sums), failures + sum(s.failures for s in sums)

    def fill(self, message: report_pb2.Slice, place: SliceId) -> None:
        """Writes it into an empty slice."""
        message.stats_epoch, message.start_ms, message.width_ms = place
        message.error_id.extend(self._errors)
        message.error_count.extend(self._errors.values())
        message.exception_id.extend(self._exceptions)
        message.exception_count.extend(self._exceptions.values())
        if self._rows or not self._columns.fits:
            for number, sums in self._columns.rows():
                self._add_row(number, Row(sums))
            self._columns = ColumnSums()
            _fill_rows(message, self._rows)
        else:
            self._columns.fill(message)

    def to_bytes(self, place: SliceId) -> bytes:
        """Returns it as the bytes of a slice."""
        message = report_pb2.Slice()
        self.fill(message, place)
        return message.SerializeToString()

    def _add_row(self, number: int, row: Row) -> None:
        if (held := self._rows.get(number)) is None:
            held = self._rows[number] = Row()
        held.add(row)


def _read_rows(message: report_pb2.Slice) -> ReadSlice:
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
    rows = zip(decoded.rows, corrected, phases, strict=True)
    return ReadSlice(
        message, tuple((number, Row(sums, histogram, phase)) for (number, sums), histogram, phase in rows)
    )


def _parts(messages: Sequence[report_pb2.Slice], arrays: SliceArrays) -> Iterator[ReadSlice]:
    """Yields each of some slices that were read together."""
    total, start = arrays.ids.size, 0
    for message, end in zip(messages, arrays.ends, strict=True):
        edges = (start, end, total + start, total + end)
        a, b, c, d = arrays.cell_rows.searchsorted(edges).tolist()
        rows = np.concatenate(
            [arrays.cell_rows[a:b] - start, arrays.cell_rows[c:d] + (end - total - 2 * start)]
        )
        buckets = np.concatenate([arrays.buckets[a:b], arrays.buckets[c:d]])
        counts = arrays.cell_counts
        if counts is not None:
            counts = np.concatenate([counts[a:b], counts[c:d]])
        cells = (arrays.figures[:, start:end], rows, buckets, counts)
        yield ReadSlice(message, ids=arrays.ids[start:end], cells=cells)
        start = end


def _fill_rows(message: report_pb2.Slice, by_number: Mapping[int, Row]) -> None:
    ids = sorted(by_number)
    rows = [by_number[number] for number in ids]
    sums = [row.sums for row in rows]
    message.series_id.extend(ids)
    message.requests.extend(each.requests for each in sums)
    message.failures.extend(each.failures for each in sums)
    message.untimed.extend(each.untimed for each in sums)
    message.interrupted.extend(each.interrupted for each in sums)
    message.response_bytes.extend(min(each.response_bytes, (1 << 64) - 1) for each in sums)
    message.successful.CopyFrom(write_timed([each.successful for each in sums]))
    message.failed.CopyFrom(write_timed([each.failed for each in sums]))
    if any(row.corrected is not None for row in rows):
        message.corrected.CopyFrom(write_timed([row.corrected or Histogram() for row in rows]))
    if any(row.phases is not None for row in rows):
        phases = [row.phases or (0, 0, 0, 0) for row in rows]
        names = ("connect_us", "tls_us", "first_byte_us", "transfer_us")
        for name, column in zip(names, zip(*phases, strict=True), strict=True):
            getattr(message.phases, name).extend(column)


def _summed(counts: Iterable[tuple[int, int]]) -> dict[int, int]:
    sums: dict[int, int] = {}
    for number, count in counts:
        sums[number] = sums.get(number, 0) + count
    return sums
