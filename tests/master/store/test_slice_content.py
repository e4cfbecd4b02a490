"""Slices that are added up in arrays come to what they come to row by row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_master.merging.series import SeriesTable
from locust_master.store import slice_content
from locust_master.store.fold_columns import MAX_SUM
from locust_master.store.folding import SecondsFold, WorkerFold
from locust_master.store.slice_content import SliceContent, read_slices
from locust_protocol.v1 import report_pb2
from tests.master.agents import Agent

SAMPLES = st.tuples(
    st.sampled_from(["/a", "/b", "/c"]),
    st.one_of(st.none(), st.integers(0, 5_000_000)),
    st.sampled_from([None, None, "refused"]),
    st.integers(0, 3),
    st.integers(1, 3),
    st.integers(1, 300),
)
"""Name, response time, error, second, epoch, how often."""


def reports_of(
    parts: list[list[tuple[str, int | None, str | None, int, int, int]]],
) -> list[report_pb2.Report]:
    agent, reports = Agent(1), []
    for samples in parts:
        for name, value_us, error, second, epoch, times in samples:
            agent.record(
                value_us, name=name, error=error, second=second, epoch=epoch, times=times, response_bytes=9
            )
        agent.interrupt(name="/a")
        for report in agent.reports():
            reports.append(report)
            agent.accept(report.sequence)
    return reports


def folded(reports: list[report_pb2.Report], *, in_arrays: bool) -> tuple[bytes, dict[object, bytes]]:
    """The contribution, and the seconds."""
    with pytest.MonkeyPatch.context() as patch:
        if not in_arrays:
            patch.setattr(slice_content, "read_arrays", lambda slices, max_figure: None)
        worker, seconds = WorkerFold(), SecondsFold(SeriesTable())
        for report in reports:
            slices = worker.add(report)
            seconds.learn(b"w", report.series)
            for each in slices:
                seconds.add(b"w", each)
        by_place = {place: content.to_bytes(place) for place, content in seconds.take().items()}
        return worker.message().SerializeToString(deterministic=True), by_place


@given(parts=st.lists(st.lists(SAMPLES, min_size=1, max_size=8), min_size=1, max_size=4))
def test_fold_in_arrays_is_the_fold_row_by_row(
    parts: list[list[tuple[str, int | None, str | None, int, int, int]]],
) -> None:
    """Totals of a run that is read back are exact, whichever way its journal was folded."""
    reports = reports_of(parts)
    assert folded(reports, in_arrays=True) == folded(reports, in_arrays=False)
    contribution = report_pb2.Report.FromString(folded(reports, in_arrays=True)[0])
    again = WorkerFold()
    again.add(contribution)
    assert again.message() == contribution, "a contribution is folded like any report"


def slice_of(*, total_us: int = 900, corrected: bool = False) -> report_pb2.Slice:
    (report,) = reports_of([[("/a", 900, None, 0, 1, 1)]])
    (made,) = report.slices
    made.successful.total_us[0] = total_us
    if corrected:
        made.corrected.CopyFrom(made.successful)
    return made


def content_of(*messages: report_pb2.Slice) -> SliceContent:
    content = SliceContent()
    for message in messages:
        for each in read_slices([message]):
            content.add(each)
            content.add_counts(message)
    return content


def message_of(content: SliceContent) -> report_pb2.Slice:
    return report_pb2.Slice.FromString(content.to_bytes((1, 0, 1_000)))


def test_slice_with_columns_that_few_have_is_added_to_one_without() -> None:
    """What cannot be read into arrays loses nothing, and takes the rest of its slice along."""
    found = message_of(content_of(slice_of(), slice_of(corrected=True), slice_of()))
    assert (found.requests[0], found.successful.count[0], found.successful.total_us[0]) == (3, 3, 2_700)
    assert (found.corrected.count[0], found.interrupted[0]) == (1, 3)


def test_sums_that_are_too_big_for_arrays_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of months must not wrap around."""
    content = content_of(slice_of(), slice_of())
    monkeypatch.setattr("locust_master.store.fold_columns.MAX_SUM", 1_000)
    assert MAX_SUM > 1_000
    assert message_of(content).successful.total_us[0] == 1_800


def test_what_waits_side_by_side_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a run folds thousands of reports at once."""
    whole = message_of(content_of(*[slice_of()] * 5))
    monkeypatch.setattr("locust_master.store.fold_columns.MAX_WAITING", 1)
    assert message_of(content_of(*[slice_of()] * 5)) == whole


def test_series_that_are_one_at_the_master_are_one_row() -> None:
    """What is over the limit of names is "(other)", whatever it was called."""
    reports = reports_of([[("/a", 900, None, 0, 1, 1), ("/b", 800, "refused", 0, 1, 2)]])
    content = SliceContent()
    for each in read_slices(reports[0].slices):
        assert each.ids is not None, "it is read into arrays"
        content.add(each, dict.fromkeys(range(10), 0))
    found = message_of(content)
    assert (list(found.series_id), list(found.requests), list(found.failures)) == ([0], [3], [2])
    assert (found.successful.min_us[0], found.failed.max_us[0]) == (900, 800)
    assert content.requests_and_failures() == (3, 2)
