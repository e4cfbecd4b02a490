"""Response times of many series as one message: their sums, and their buckets in packed columns. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from locust_protocol.histogram import PRECISION_BITS, Histogram
from locust_protocol.histogram_codec import encode_cells
from locust_protocol.v1 import histogram_pb2


def write_timed(histograms: Sequence[Histogram]) -> histogram_pb2.TimedColumns:
    """Returns the columns for one histogram a row. Raises `MalformedCells` as `encode_cells` does."""
    cell_delta, cell_count, several_delta = encode_cells([histogram.counts for histogram in histograms])
    return histogram_pb2.TimedColumns(
        count=[histogram.count for histogram in histograms],
        total_us=[histogram.total_us for histogram in histograms],
        min_us=[histogram.min_us for histogram in histograms],
        max_us=[histogram.max_us for histogram in histograms],
        cells=histogram_pb2.HistogramCells(
            precision_bits=PRECISION_BITS,
            cell_delta=cell_delta,
            cell_count=cell_count,
            several_delta=several_delta,
        ),
    )
