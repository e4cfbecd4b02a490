"""Reads a slice row by row and cell by cell, with the checks of the schema written out: the slow twin."""

from __future__ import annotations

from collections.abc import Sequence

from locust_master.merging.columns import MAX_TOTAL_US
from locust_master.merging.decoding import MAX_COUNT, MAX_EARLY_MS, MAX_RUN_MS
from locust_master.merging.errors import MalformedReport
from locust_master.merging.sums import Sums
from locust_protocol.histogram import PRECISION_BITS, Histogram, bucket_index
from locust_protocol.histogram_codec import MalformedCells, decode_cells
from locust_protocol.v1 import histogram_pb2, report_pb2


def slow_rows(message: report_pb2.Slice) -> list[tuple[int, Sums]]:
    """Returns each row's sums with its number. Raises `MalformedReport`."""
    start_ms, width_ms = message.start_ms, message.width_ms
    _demand(width_ms >= 1 and start_ms % width_ms == 0)
    _demand(-MAX_EARLY_MS <= start_ms <= MAX_RUN_MS and width_ms <= MAX_RUN_MS)
    size = len(message.series_id)
    columns = [
        _column(getattr(message, name), size)
        for name in ("requests", "failures", "untimed", "interrupted", "response_bytes")
    ]
    successful, failed = _histograms(message.successful, size), _histograms(message.failed, size)
    rows = []
    for place, number in enumerate(message.series_id):
        sums = Sums(*(column[place] for column in columns), successful[place], failed[place])
        _demand(sums.requests <= MAX_COUNT and sums.interrupted <= MAX_COUNT)
        _demand(sums.successful.count + sums.failed.count + sums.untimed == sums.requests)
        _demand(sums.failed.count <= sums.failures <= sums.failed.count + sums.untimed)
        rows.append((number, sums))
    for ids, counts in (
        (message.error_id, message.error_count),
        (message.exception_id, message.exception_count),
    ):
        _demand(len(ids) == len(counts) and max(counts, default=0) <= MAX_COUNT)
    return rows


def _histograms(columns: histogram_pb2.TimedColumns, size: int) -> list[Histogram]:
    figures = [_column(getattr(columns, name), size) for name in ("count", "total_us", "min_us", "max_us")]
    cells = columns.cells
    if cells.cell_delta or cells.cell_count or cells.several_delta:
        _demand(cells.precision_bits == PRECISION_BITS)
    try:
        rows = decode_cells(cells.cell_delta, cells.cell_count, cells.several_delta, row_count=size)
    except MalformedCells as error:
        raise MalformedReport(str(error)) from None
    histograms = [Histogram(row, *each) for row, *each in zip(rows, *figures, strict=True)]
    for histogram in histograms:
        _check(histogram)
    return histograms


def _check(histogram: Histogram) -> None:
    low, high, count = histogram.min_us, histogram.max_us, histogram.count
    _demand(sum(histogram.counts.values()) == count)
    if not count:
        _demand(not (histogram.total_us or low or high))
        return
    _demand(low * count <= histogram.total_us <= min(high * count, MAX_TOTAL_US))
    _demand(bucket_index(low) == min(histogram.counts) and bucket_index(high) == max(histogram.counts))


def _column(values: Sequence[int], size: int) -> list[int]:
    _demand(not values or len(values) == size)
    return list(values) or [0] * size


def _demand(holds: bool) -> None:
    if not holds:
        raise MalformedReport("a rule is broken")
