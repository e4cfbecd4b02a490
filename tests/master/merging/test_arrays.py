"""Slices that are counted in arrays count as they would row by row."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locust_master.merging import ahead as ahead_module
from locust_master.merging.arrays import COUNT, LINES, MAX_VALUE_US, SliceArrays, read_arrays
from locust_master.merging.decoding import decode_slice
from locust_master.merging.errors import MalformedReport
from locust_master.merging.sums import Sums
from locust_master.merging.totals import RunTotals
from locust_protocol.histogram import Histogram
from locust_protocol.v1 import report_pb2
from tests.master.agents import Agent
from tests.master.merging.test_broken_senders import PLACES, broken, changes, response_times, sound_report
from tests.master.merging.test_columns import facts, fed
from tests.master.merging.test_totals_laws import Sample, samples

KINDS = (
    report_pb2.SERIES_KIND_REQUEST,
    report_pb2.SERIES_KIND_REQUEST,
    report_pb2.SERIES_KIND_GROUP,
    report_pb2.SERIES_KIND_CHECK,
)


def rows_of(each: SliceArrays) -> list[list[tuple[int, Sums]]]:
    """The rows that arrays stand for, by slice."""
    size = each.ids.size
    cells: list[dict[int, int]] = [{} for _ in range(2 * size)]
    counts = [1] * each.buckets.size if each.cell_counts is None else each.cell_counts.tolist()
    for row, bucket, count in zip(each.cell_rows.tolist(), each.buckets.tolist(), counts, strict=True):
        cells[row][bucket] = count
    rows = []
    for place, number in enumerate(each.ids.tolist()):
        figures = each.figures[:, place].tolist()
        successful, failed = (
            Histogram(cells[place + line * size], *figures[COUNT + line : LINES : 2]) for line in range(2)
        )
        rows.append((number, Sums(*figures[:COUNT], successful, failed)))
    return [rows[start:end] for start, end in zip([0, *each.ends], each.ends, strict=False)]


def decoded(slices: Sequence[report_pb2.Slice]) -> list[list[tuple[int, Sums]]]:
    return [decode_slice(message).rows for message in slices]


@given(script=st.lists(samples, min_size=1, max_size=40))
@settings(max_examples=150, deadline=None)
def test_arrays_hold_what_rows_hold(script: list[Sample]) -> None:
    """Speed must not change a single sample, and whatever an agent sends takes the fast way."""
    for report in fed(Agent(1), script).reports():
        each = read_arrays(report.slices)
        if each is not None:
            assert rows_of(each) == decoded(report.slices)
        else:
            assert any((sample.value_us or 0) >= MAX_VALUE_US for sample in script)


@given(values=response_times, wanted=changes)
@settings(max_examples=400, deadline=None)
def test_nothing_is_taken_into_arrays_that_breaks_a_rule(
    values: list[int], wanted: list[tuple[str, int]]
) -> None:
    """The checks are written twice; the fast ones may only be harsher, and then the slow ones decide."""
    report = sound_report(values)
    read_elsewhere = (*PLACES, "error_count")
    slices = broken(report, [change for change in wanted if change[0] not in read_elsewhere]).slices
    each = read_arrays(slices)
    if each is not None:
        assert rows_of(each) == decoded(slices)


@given(
    scripts=st.lists(
        st.lists(st.tuples(samples, st.sampled_from(KINDS)), max_size=12), min_size=1, max_size=6
    ),
    max_series=st.sampled_from((2, 2_000)),
)
@settings(max_examples=50, deadline=None)
def test_totals_are_the_same_whichever_way_slices_take(
    scripts: list[list[tuple[Sample, report_pb2.SeriesKind.ValueType]]], max_series: int
) -> None:
    """Groups and checks beside requests, several names in "(other)", epochs that are over: all of it."""
    found = []
    for way in (read_arrays, no_arrays):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ahead_module, "read_arrays", way)
            totals = RunTotals(max_series=max_series)
            agents = [Agent(number + 1) for number in range(2)]
            for turn, script in enumerate(scripts):
                agent = agents[turn % 2]
                for each, kind in script:
                    agent.record(
                        each.value_us,
                        name=each.name,
                        second=each.second,
                        width_s=each.width_s,
                        error=each.error,
                        kind=kind,
                    )
                agent.flush(totals, at_ms=10_000 + turn)
                if turn == 2:
                    totals.begin_epoch(2)
            found.append(facts(totals))
    assert found[0] == found[1]


def no_arrays(slices: Sequence[report_pb2.Slice]) -> None:
    """Stands for `read_arrays` when nothing may take the fast way."""


def test_a_usual_slice_of_an_agent_takes_the_fast_way() -> None:
    """Else all of this would be for nothing, and no other test would notice."""
    agent = Agent(1)
    for value_us in (5, 5, 7_000, 90_000):
        agent.record(value_us, response_bytes=1_000)
    agent.record(None, name="/untimed")
    agent.record(40_000, name="/a", error="refused")
    agent.interrupt(name="/stopped")
    (report,) = agent.reports()
    assert read_arrays(report.slices) is not None


@pytest.mark.parametrize(
    ("places", "counts"),
    [
        ([0, 2, 0], [2, 2, 2]),
        ([0, 2, 1], [2, 2, 1]),
        ([0, 2, 3], [2, 2, 2]),
        ([0, 2], [2, 2, 2]),
        ([0, 2, 1], [2, 2]),
        ([0, 2], [2, 3]),
        ([0], [2]),
    ],
)
def test_counts_that_do_not_fit_the_cells_are_left_to_the_slow_way(
    places: list[int], counts: list[int]
) -> None:
    """Cells with several samples are few, and so are the slices in which a mistake about them would show."""
    report = sound_report([5, 8, 11, 14, 17, 11])
    cells = report.slices[0].successful.cells
    assert (list(cells.several_delta), list(cells.cell_count)) == ([0, 2], [2, 2])
    cells.several_delta[:], cells.cell_count[:] = places, counts
    assert read_arrays(report.slices) is None
    with pytest.raises(MalformedReport):
        decode_slice(report.slices[0])


def test_sums_beyond_64_bits_are_counted_exactly() -> None:
    """A number that no array holds is still a number."""
    totals, agent = RunTotals(), Agent(1)
    agent.record(1_000, response_bytes=(1 << 64) - 1)
    agent.flush(totals)
    agent.record(1_000, response_bytes=(1 << 64) - 1)
    agent.flush(totals)
    assert totals.total.sums.response_bytes == 2 * ((1 << 64) - 1)
