"""Reads the slices of a report with suspicion: what is returned adds up, whatever the sender did.

A worker runs on another machine, may be of another version, and may be broken. So every rule that the sums
rely on is checked here, before anything is counted: columns fit each other, histograms hold as many samples
as they say, failures are requests, minima and maxima lie in the first and last bucket.

Pure. Must never return a slice of which a part is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import add

from locust_master.merging.columns import Timed, column, read_timed
from locust_master.merging.errors import MalformedReport
from locust_master.merging.sums import Sums
from locust_protocol.histogram import Histogram
from locust_protocol.v1 import histogram_pb2, report_pb2

MAX_COUNT = 1 << 40
"""Requests in one row of a slice; ten years of a million a second stay below, and sums fit 64 bits."""

MAX_RUN_MS = 366 * 24 * 3_600_000
"""Milliseconds of the longest run: a year. What is later comes from a broken clock."""

MAX_EARLY_MS = 60_000
"""Milliseconds before run time zero that a slice may start: clocks are estimates."""


@dataclass(slots=True)
class SliceColumns:
    """One slice as it came: columns, checked, with the sender's numbers."""

    start_ms: int
    width_ms: int
    stats_epoch: int
    ids: list[int]
    requests: list[int]
    failures: list[int]
    untimed: list[int]
    interrupted: list[int]
    response_bytes: list[int]
    successful: Timed | None
    failed: Timed | None
    errors: list[tuple[int, int]]
    exceptions: list[tuple[int, int]]

    @property
    def end_ms(self) -> int:
        """First millisecond after it."""
        return self.start_ms + self.width_ms


@dataclass(frozen=True, slots=True)
class SliceHead:
    """What a slice says beside its rows: where it is, and what occurred, with the sender's numbers."""

    start_ms: int
    width_ms: int
    stats_epoch: int
    errors: list[tuple[int, int]]
    exceptions: list[tuple[int, int]]

    @property
    def end_ms(self) -> int:
        """First millisecond after it."""
        return self.start_ms + self.width_ms


def read_head(message: report_pb2.Slice) -> SliceHead:
    """Returns a slice without its rows. Raises `MalformedReport` naming the rule that it breaks."""
    _check_place(message)
    return SliceHead(
        message.start_ms,
        message.width_ms,
        message.stats_epoch,
        _occurrences(message.error_id, message.error_count, "errors"),
        _occurrences(message.exception_id, message.exception_count, "exceptions"),
    )


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


def read_columns(message: report_pb2.Slice) -> SliceColumns:
    """Returns the slice in columns. Raises `MalformedReport` naming the rule that it breaks."""
    _check_place(message)
    ids = list(message.series_id[:])
    size = len(ids)
    columns = SliceColumns(
        start_ms=message.start_ms,
        width_ms=message.width_ms,
        stats_epoch=message.stats_epoch,
        ids=ids,
        requests=column(message.requests, size, "requests"),
        failures=column(message.failures, size, "failures"),
        untimed=column(message.untimed, size, "untimed"),
        interrupted=column(message.interrupted, size, "interrupted"),
        response_bytes=column(message.response_bytes, size, "response_bytes"),
        successful=read_timed(message.successful, size, "successful"),
        failed=read_timed(message.failed, size, "failed"),
        errors=_occurrences(message.error_id, message.error_count, "errors"),
        exceptions=_occurrences(message.exception_id, message.exception_count, "exceptions"),
    )
    if message.HasField("corrected"):
        read_timed(message.corrected, size, "corrected")
    if message.HasField("phases"):
        _check_phases(message.phases, size)
    _check_requests(columns)
    return columns


def decode_slice(message: report_pb2.Slice) -> DecodedSlice:
    """Returns the slice in rows. Raises `MalformedReport` naming the rule that it breaks."""
    each = read_columns(message)
    size = len(each.ids)
    sums = map(
        Sums,
        each.requests,
        each.failures,
        each.untimed,
        each.interrupted,
        each.response_bytes,
        _histograms(each.successful, size),
        _histograms(each.failed, size),
    )
    return DecodedSlice(
        start_ms=each.start_ms,
        width_ms=each.width_ms,
        stats_epoch=each.stats_epoch,
        rows=list(zip(each.ids, sums, strict=True)),
        errors=each.errors,
        exceptions=each.exceptions,
    )


def decode_histograms(columns: histogram_pb2.TimedColumns, size: int, label: str) -> list[Histogram]:
    """Returns the histogram of each of `size` rows. Raises `MalformedReport`."""
    return _histograms(read_timed(columns, size, label), size)


def _histograms(timed: Timed | None, size: int) -> list[Histogram]:
    return timed.histograms() if timed is not None else [Histogram() for _ in range(size)]


def _check_requests(columns: SliceColumns) -> None:
    successful, failed = columns.successful, columns.failed
    requests, interrupted = columns.requests, columns.interrupted
    if not requests:
        return
    if max(requests) > MAX_COUNT or max(interrupted) > MAX_COUNT:
        raise MalformedReport(f"a series has over {MAX_COUNT} requests in one slice")
    none = [0] * len(requests)
    succeeded = none if successful is None else successful.count
    failures = none if failed is None else failed.count
    # Most slices have a response time for each request; what is left is checked row by row.
    timed = list(map(add, succeeded, failures))
    if requests == timed and columns.failures == failures and not any(columns.untimed):
        return
    for row in zip(
        columns.ids, requests, columns.failures, columns.untimed, succeeded, failures, strict=True
    ):
        _check_row(*row)


def _check_row(
    series_id: int, requests: int, failures: int, untimed: int, successful: int, failed: int
) -> None:
    if successful + failed + untimed != requests or not failed <= failures <= failed + untimed:
        raise MalformedReport(
            f"series {series_id}: {requests} requests, {failures} failures, {untimed} untimed do not fit "
            f"{successful} successful and {failed} failed response times"
        )


def _check_place(message: report_pb2.Slice) -> None:
    start_ms, width_ms = message.start_ms, message.width_ms
    if width_ms < 1 or start_ms % width_ms:
        raise MalformedReport(f"a slice of {width_ms} ms does not start at {start_ms} ms")
    if start_ms < -MAX_EARLY_MS or start_ms > MAX_RUN_MS or width_ms > MAX_RUN_MS:
        raise MalformedReport(f"a slice from {start_ms} ms, {width_ms} ms long, is in no run")


def _check_phases(phases: report_pb2.PhaseColumns, size: int) -> None:
    for name in ("connect_us", "tls_us", "first_byte_us", "transfer_us"):
        column(getattr(phases, name), size, name)


def _occurrences(ids: Sequence[int], counts: Sequence[int], label: str) -> list[tuple[int, int]]:
    if len(ids) != len(counts):
        raise MalformedReport(f"{len(ids)} {label} do not fit {len(counts)} counts")
    if counts and max(counts) > MAX_COUNT:
        raise MalformedReport(f"{max(counts)} {label} in one slice are over {MAX_COUNT}")
    return list(zip(ids, counts, strict=True))
