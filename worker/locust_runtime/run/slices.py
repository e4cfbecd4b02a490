"""Samples of stretches of run time, and the message they become.

A slice is open while samples go into it, then closed, then reported. When reports cannot be sent for
long, closed slices are joined so that memory stays bounded: resolution is lost, no count is.

Pure: no clock, no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from locust_protocol.histogram import Histogram
from locust_protocol.histogram_messages import write_timed
from locust_protocol.limits import SLICE_WIDTH_MS
from locust_protocol.v1.report_pb2 import Slice

_MAX_BYTES = (1 << 63) - 1
"""Bytes that the message can say; a locustfile may pass any length."""


@dataclass(slots=True)
class Row:
    """Samples of one series in one slice."""

    series_id: int
    untimed: int = 0
    """Requests without a response time, failed ones included."""
    untimed_failures: int = 0
    interrupted: int = 0
    response_bytes: int = 0
    successful: Histogram = field(default_factory=Histogram)
    failed: Histogram = field(default_factory=Histogram)

    @property
    def requests(self) -> int:
        return self.successful.count + self.failed.count + self.untimed

    @property
    def failures(self) -> int:
        return self.failed.count + self.untimed_failures

    def add(self, other: Row) -> None:
        """Add another row of the same series."""
        self.untimed += other.untimed
        self.untimed_failures += other.untimed_failures
        self.interrupted += other.interrupted
        self.response_bytes += other.response_bytes
        self.successful.add(other.successful)
        self.failed.add(other.failed)


@dataclass(slots=True)
class OpenSlice:
    """Samples of one stretch of run time under one epoch of the statistics."""

    start_ms: int
    stats_epoch: int
    width_ms: int = SLICE_WIDTH_MS
    rows: dict[int, Row] = field(default_factory=dict)
    """By number of the series."""
    errors: dict[int, int] = field(default_factory=dict)
    """Occurrences by number of the error."""
    exceptions: dict[int, int] = field(default_factory=dict)
    """Occurrences by number of the exception."""

    @property
    def is_empty(self) -> bool:
        return not (self.rows or self.exceptions)

    def add(self, other: OpenSlice) -> None:
        """Add the samples of another slice."""
        for series_id, row in other.rows.items():
            self.rows.setdefault(series_id, Row(series_id)).add(row)
        for counts, others in ((self.errors, other.errors), (self.exceptions, other.exceptions)):
            for number, times in others.items():
                counts[number] = counts.get(number, 0) + times


def joined(slices: Sequence[OpenSlice]) -> list[OpenSlice]:
    """Return the same samples in about half as many slices, each as wide as twice the widest one."""
    width_ms = 2 * max(each.width_ms for each in slices)
    wide: dict[tuple[int, int], OpenSlice] = {}
    for each in slices:
        start_ms = each.start_ms // width_ms * width_ms
        key = (each.stats_epoch, start_ms)
        if key not in wide:
            wide[key] = OpenSlice(start_ms, each.stats_epoch, width_ms)
        wide[key].add(each)
    return list(wide.values())


def slice_message(samples: OpenSlice) -> Slice:
    """Return the slice in columns, rows in order of their series."""
    rows = [samples.rows[series_id] for series_id in sorted(samples.rows)]
    return Slice(
        start_ms=samples.start_ms,
        width_ms=samples.width_ms,
        stats_epoch=samples.stats_epoch,
        series_id=[row.series_id for row in rows],
        requests=[row.requests for row in rows],
        failures=[row.failures for row in rows],
        untimed=[row.untimed for row in rows],
        interrupted=[row.interrupted for row in rows],
        response_bytes=[min(max(0, whole_number(row.response_bytes)), _MAX_BYTES) for row in rows],
        successful=write_timed([row.successful for row in rows]),
        failed=write_timed([row.failed for row in rows]),
        error_id=list(samples.errors),
        error_count=list(samples.errors.values()),
        exception_id=list(samples.exceptions),
        exception_count=list(samples.exceptions.values()),
    )


def whole_number(value: object) -> int:
    """The value as an int, 0 when it is no number: a locustfile may pass anything for a length."""
    try:
        return int(value)  # type: ignore[call-overload, no-any-return]
    except (TypeError, ValueError, OverflowError):
        return 0
