"""Columns that are read from the bytes of slices are those that protobuf reads."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locust_master.merging.packed import COLUMNS, read_packed
from locust_protocol.histogram import PRECISION_BITS
from locust_protocol.v1 import histogram_pb2, report_pb2

numbers = st.one_of(st.integers(0, 300), st.integers(0, (1 << 56) - 1))
columns = st.lists(numbers, max_size=5)
narrow = st.lists(st.one_of(st.integers(0, 300), st.integers(0, (1 << 32) - 1)), max_size=5)


@st.composite
def timed(draw: st.DrawFn) -> histogram_pb2.TimedColumns:
    cells = histogram_pb2.HistogramCells(
        precision_bits=PRECISION_BITS,
        cell_delta=draw(narrow),
        cell_count=draw(columns),
        several_delta=draw(narrow),
    )
    return histogram_pb2.TimedColumns(
        count=draw(columns),
        total_us=draw(columns),
        min_us=draw(columns),
        max_us=draw(columns),
        cells=draw(st.sampled_from((cells, None))),
    )


@st.composite
def slices(draw: st.DrawFn) -> report_pb2.Slice:
    return report_pb2.Slice(
        start_ms=draw(st.integers(-60_000, 1 << 35)),
        width_ms=draw(st.integers(0, 1 << 31)),
        stats_epoch=draw(st.integers(0, 200)),
        series_id=draw(narrow),
        requests=draw(columns),
        failures=draw(columns),
        untimed=draw(columns),
        interrupted=draw(columns),
        response_bytes=draw(columns),
        successful=draw(st.one_of(st.none(), timed())),
        failed=draw(st.one_of(st.none(), timed())),
        error_id=draw(narrow),
        error_count=draw(columns),
        exception_id=draw(narrow),
        exception_count=draw(columns),
    )


def as_protobuf_reads(message: report_pb2.Slice) -> list[list[int]]:
    both = (message.successful, message.failed)
    of_rows = [
        message.series_id,
        message.requests,
        message.failures,
        message.untimed,
        message.interrupted,
        message.response_bytes,
    ]
    of_times = [getattr(each, name) for name in ("count", "total_us", "min_us", "max_us") for each in both]
    names = ("cell_delta", "cell_count", "several_delta")
    of_cells = [getattr(each.cells, name) for name in names for each in both]
    return [list(column) for column in (*of_rows, *of_times, *of_cells)]


@given(messages=st.lists(slices(), min_size=1, max_size=4))
@settings(max_examples=80, deadline=None)
def test_columns_are_those_of_protobuf(messages: list[report_pb2.Slice]) -> None:
    """Whatever is left out, empty, or one to eight bytes long."""
    found = read_packed(messages)
    if found is None:
        assert all(message.ByteSize() == 0 for message in messages)
        return
    assert [len(each) for each in found] == [COLUMNS] * len(messages)
    assert [[column.tolist() for column in each] for each in found] == [
        as_protobuf_reads(message) for message in messages
    ]


UNUSUAL = {
    "a number over 2^56": report_pb2.Slice(requests=[1 << 56]),
    "response times corrected for coordinated omission": report_pb2.Slice(
        corrected=histogram_pb2.TimedColumns(count=[1])
    ),
    "phases": report_pb2.Slice(phases=report_pb2.PhaseColumns(tls_us=[1])),
    "cells of another precision": report_pb2.Slice(
        successful=histogram_pb2.TimedColumns(
            cells=histogram_pb2.HistogramCells(precision_bits=7, cell_delta=[1], cell_count=[1])
        )
    ),
    "cells without a precision": report_pb2.Slice(
        successful=histogram_pb2.TimedColumns(
            cells=histogram_pb2.HistogramCells(cell_delta=[1], cell_count=[1])
        )
    ),
    "a field of a later version": report_pb2.Slice.FromString(bytes((200 << 3 & 127 | 130, 12, 1, 7))),
    "nothing": report_pb2.Slice(),
}


@pytest.mark.parametrize("what", UNUSUAL)
def test_what_is_unusual_is_left_to_protobuf(what: str) -> None:
    """The fast way needs to know all that it steps over."""
    assert read_packed([UNUSUAL[what]]) is None
