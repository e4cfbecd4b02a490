"""A worker that sends nonsense: refused as a whole, or counted in a way that every view can show."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from locust_master.merging.errors import MalformedReport
from locust_master.merging.totals import RunTotals
from locust_master.snapshot import fill_statistics
from locust_protocol.v1 import report_pb2, snapshot_pb2
from tests.master.agents import Agent

COLUMNS = ("requests", "failures", "untimed", "interrupted", "response_bytes", "series_id", "error_count")
TIMED = ("count", "total_us", "min_us", "max_us")
CELLS = ("cell_delta", "cell_count", "several_delta")
PLACES = ("start_ms", "width_ms", "stats_epoch")

numbers = st.one_of(st.integers(0, 3), st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 64) - 1))
changes = st.lists(
    st.tuples(st.sampled_from((*COLUMNS, *TIMED, *CELLS, *PLACES)), numbers), min_size=1, max_size=3
)
response_times = st.lists(
    st.one_of(st.integers(0, 3), st.integers(1_024, 1_030), st.integers(0, 2_000)), min_size=1, max_size=9
)
"""In microseconds; some of them equal, or in one bucket."""


def sound_report(values: Sequence[int]) -> report_pb2.Report:
    """The report of an agent that counted these response times under three names, and a failure."""
    agent = Agent(1)
    for value_us in (*values, values[0]):
        agent.record(value_us, name=f"/{value_us % 3}", response_bytes=7)
    agent.record(9_000, name="/b", error="refused")
    (report,) = agent.reports()
    return report


def broken(report: report_pb2.Report, wanted: list[tuple[str, int]]) -> report_pb2.Report:
    """The report with some numbers replaced, or added to columns of cells, as far as they fit."""
    (slice_message,) = report.slices
    for name, number in wanted:
        if name in PLACES:
            setattr(slice_message, name, number % (1 << 31))
            continue
        timed = slice_message.successful
        holder = slice_message if name in COLUMNS else timed if name in TIMED else timed.cells
        column = getattr(holder, name)
        narrow = name in ("series_id", "cell_delta", "several_delta")
        if name in CELLS and number % 4 == 3:
            column.append(0)
        column[number % len(column)] = number % (1 << 32) if narrow else number
    return report


@given(wanted=changes)
@settings(max_examples=300, deadline=None)
def test_a_broken_report_never_breaks_the_views(wanted: list[tuple[str, int]]) -> None:
    """Whatever is counted must fit the messages that screens are sent."""
    totals, good, bad = RunTotals(), Agent(1), Agent(2)
    good.record(1_000)
    good.flush(totals)
    for value_us in (10, 5_000, 5_000):
        bad.record(value_us, name="/a", response_bytes=7)
    bad.record(9_000, name="/b", error="refused")
    (report,) = bad.reports()
    try:
        totals.apply(bad.key, bad.name, broken(report, wanted), at_ms=1_500)
    except MalformedReport:
        assert totals.total.sums.requests == 1
    snapshot = snapshot_pb2.Snapshot()
    parts = fill_statistics(
        snapshot,
        totals,
        since_revision=None,
        quantiles=(0.0, 0.5, 1.0),
        max_series=10,
        history_seconds=60,
        described=set(),
    )
    assert list(parts)
    assert snapshot.SerializeToString()


def test_labels_and_parents_name_a_series() -> None:
    """The same request with another label, or in another group, is another row."""
    totals = RunTotals()
    report = report_pb2.Report(
        sequence=1,
        series=[
            report_pb2.SeriesDefinition(id=1, kind=report_pb2.SERIES_KIND_GROUP, name="checkout"),
            report_pb2.SeriesDefinition(
                id=2, name="/pay", label_set_id=5, labels=[report_pb2.Label(key="card", value="yes")]
            ),
            report_pb2.SeriesDefinition(id=3, name="/pay", parent_id=1),
            report_pb2.SeriesDefinition(id=4, name="/pay", parent_id=1, label_set_id=5),
        ],
        slices=[
            report_pb2.Slice(
                width_ms=1_000, stats_epoch=1, series_id=[2, 3, 4], requests=[1, 2, 3], untimed=[1, 2, 3]
            )
        ],
    )
    totals.apply("w", "w", report)
    rows = {row.key.labels: row for row in totals.series if row.sums.requests and row.key.parent_id is None}
    assert list(rows) == [(("card", "yes"),)]
    nested = [row for row in totals.series if row.key.parent_id is not None]
    assert sorted(row.sums.requests for row in nested) == [2, 3]
    definition = totals.series.definition(nested[1])
    assert definition.parent_id == 1
    assert [(label.key, label.value) for label in definition.labels] == [("card", "yes")]
