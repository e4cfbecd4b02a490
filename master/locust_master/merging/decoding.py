"""Reads the slices of a report with suspicion: what is returned adds up, whatever the sender did.

A worker runs on another machine, may be of another version, and may be broken. So every rule that the sums
rely on is checked here, before anything is counted: columns fit each other, histograms hold as many samples
as they say, failures are requests, minima and maxima lie in the first and last bucket.

Pure. Must never return a slice of which a part is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from locust_master.merging.errors import MalformedReport
from locust_master.merging.sums import Sums
from locust_protocol.histogram import PRECISION_BITS, Histogram, bucket_index
from locust_protocol.histogram_codec import MalformedCells, decode_cells
from locust_protocol.v1 import histogram_pb2, report_pb2

MAX_COUNT = 1 << 40
"""Requests in one row of a slice; ten years of a million a second stay below, and sums fit 64 bits."""

MAX_TOTAL_US = 1 << 58
"""Microseconds of response times in one row: 9,000 years. Sixty such rows fit 64 bits."""

MAX_RUN_MS = 366 * 24 * 3_600_000
"""Milliseconds of the longest run: a year. What is later comes from a broken clock."""

MAX_EARLY_MS = 60_000
"""Milliseconds before run time zero that a slice may start: clocks are estimates."""


@dataclass(frozen=True, slots=True)
class DecodedSlice:
    """One slice: rows and counts with the sender's numbers, in the sender's order."""

    start_ms: int
    width_ms: int
    stats_epoch: int
    rows: list[tuple[int, Sums]]
    errors: list[tuple[int, int]]
    exceptions: list[tuple[int, int]]

    @property
    def end_ms(self) -> int:
        """First millisecond after it."""
        return self.start_ms + self.width_ms


def decode_slice(message: report_pb2.Slice) -> DecodedSlice:
    """Returns the slice. Raises `MalformedReport` naming the rule that it breaks."""
    _check_place(message)
    ids = list(message.series_id)
    size = len(ids)
    requests = _column(message.requests, size, "requests")
    failures = _column(message.failures, size, "failures")
    untimed = _column(message.untimed, size, "untimed")
    interrupted = _column(message.interrupted, size, "interrupted")
    response_bytes = _column(message.response_bytes, size, "response_bytes")
    successful = decode_histograms(message.successful, size, "successful")
    failed = decode_histograms(message.failed, size, "failed")
    if message.HasField("corrected"):
        decode_histograms(message.corrected, size, "corrected")
    if message.HasField("phases"):
        _check_phases(message.phases, size)
    for row in zip(ids, requests, failures, untimed, interrupted, successful, failed, strict=True):
        _check_row(*row)
    sums = map(Sums, requests, failures, untimed, interrupted, response_bytes, successful, failed)
    return DecodedSlice(
        start_ms=message.start_ms,
        width_ms=message.width_ms,
        stats_epoch=message.stats_epoch,
        rows=list(zip(ids, sums, strict=True)),
        errors=_counts(message.error_id, message.error_count, "errors"),
        exceptions=_counts(message.exception_id, message.exception_count, "exceptions"),
    )


def decode_histograms(columns: histogram_pb2.TimedColumns, size: int, label: str) -> list[Histogram]:
    """Returns the histogram of each of `size` rows. Raises `MalformedReport`."""
    cells = columns.cells
    counts = _column(columns.count, size, f"{label} count")
    total_us = _column(columns.total_us, size, f"{label} total_us")
    min_us = _column(columns.min_us, size, f"{label} min_us")
    max_us = _column(columns.max_us, size, f"{label} max_us")
    if not cells.cell_delta and not cells.cell_count:
        # Most slices have no failures, so this is every other call.
        if any(counts) or any(total_us) or any(min_us) or any(max_us):
            raise MalformedReport(f"{label}: figures without buckets")
        return [Histogram() for _ in range(size)]
    if cells.precision_bits != PRECISION_BITS:
        raise MalformedReport(f"{label}: {cells.precision_bits} precision bits, not {PRECISION_BITS}")
    try:
        rows = decode_cells(cells.cell_delta, cells.cell_count, size)
    except MalformedCells as error:
        raise MalformedReport(f"{label}: {error}") from None
    histograms = list(map(Histogram, rows, counts, total_us, min_us, max_us))
    for row, histogram in enumerate(histograms):
        if not _adds_up(histogram):
            raise MalformedReport(f"{label}: the figures of row {row} do not fit its buckets")
    return histograms


def _check_row(
    series_id: int,
    requests: int,
    failures: int,
    untimed: int,
    interrupted: int,
    successful: Histogram,
    failed: Histogram,
) -> None:
    if (
        requests > MAX_COUNT
        or interrupted > MAX_COUNT
        or successful.count + failed.count + untimed != requests
        or not failed.count <= failures <= failed.count + untimed
    ):
        raise MalformedReport(
            f"series {series_id}: {requests} requests, {failures} failures, {untimed} untimed do not fit "
            f"{successful.count} successful and {failed.count} failed response times"
        )


def _adds_up(histogram: Histogram) -> bool:
    cells, count = histogram.counts, histogram.count
    if sum(cells.values()) != count:
        return False
    low, high = histogram.min_us, histogram.max_us
    if not count:
        return not (histogram.total_us or low or high)
    return (
        low * count <= histogram.total_us <= min(high * count, MAX_TOTAL_US)
        and bucket_index(low) == next(iter(cells))
        and bucket_index(high) == next(reversed(cells))
    )


def _check_place(message: report_pb2.Slice) -> None:
    start_ms, width_ms = message.start_ms, message.width_ms
    if width_ms < 1 or start_ms % width_ms:
        raise MalformedReport(f"a slice of {width_ms} ms does not start at {start_ms} ms")
    if start_ms < -MAX_EARLY_MS or start_ms > MAX_RUN_MS or width_ms > MAX_RUN_MS:
        raise MalformedReport(f"a slice from {start_ms} ms, {width_ms} ms long, is in no run")


def _check_phases(phases: report_pb2.PhaseColumns, size: int) -> None:
    for name in ("connect_us", "tls_us", "first_byte_us", "transfer_us"):
        _column(getattr(phases, name), size, name)


def _column(values: Sequence[int], size: int, label: str) -> Sequence[int]:
    """Returns a column in full length; an empty one stands for zeros, as proto3 sends them."""
    if not values:
        return [0] * size
    if len(values) != size:
        raise MalformedReport(f"column {label} has {len(values)} entries for {size} rows")
    return list(values)


def _counts(ids: Sequence[int], counts: Sequence[int], label: str) -> list[tuple[int, int]]:
    if len(ids) != len(counts):
        raise MalformedReport(f"{len(ids)} {label} do not fit {len(counts)} counts")
    if counts and max(counts) > MAX_COUNT:
        raise MalformedReport(f"{max(counts)} {label} in one slice are over {MAX_COUNT}")
    return list(zip(ids, counts, strict=True))
