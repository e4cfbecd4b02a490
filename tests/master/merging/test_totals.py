"""What totals show: rows, epochs, rates, the watermark, limits; and that they refuse what is malformed."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest

from locust_master.merging.errors import MalformedReport, UnknownContribution
from locust_master.merging.totals import RunTotals
from locust_protocol.limits import MAX_ERROR_KINDS, OTHER_ERRORS, OTHER_NAME
from locust_protocol.v1 import report_pb2
from tests.master.agents import Agent


def names(totals: RunTotals) -> dict[str, int]:
    return {row.key.name: row.sums.requests for row in totals.series if row.sums.requests}


def test_series_of_several_workers_meet_in_one_row_with_a_number_of_the_master() -> None:
    """Workers number what they see in the order in which they see it."""
    totals, one, two = RunTotals(), Agent(1), Agent(2)
    one.record(1_000, name="/a")
    one.record(1_000, name="/b")
    two.record(3_000, name="/b")
    one.flush(totals)
    two.flush(totals)
    assert names(totals) == {"/a": 1, "/b": 2}
    assert {row.id for row in totals.series} == {1, 2}


def test_series_over_the_limit_count_under_other() -> None:
    """Ids in URLs must not fill the master's memory."""
    totals, agent = RunTotals(max_series=2), Agent(1)
    for number in range(5):
        agent.record(1_000, name=f"/{number}")
    agent.flush(totals)
    assert names(totals) == {"/0": 1, "/1": 1, OTHER_NAME: 3}
    assert totals.series.is_limited


def test_errors_over_the_limit_count_under_other_errors() -> None:
    """An error text with an id in it comes in any number."""
    totals, agent, other = RunTotals(), Agent(1), Agent(2)
    for number in range(MAX_ERROR_KINDS):
        agent.record(1_000, error=f"error {number}")
    other.record(1_000, error="one more")
    agent.flush(totals)
    other.flush(totals)
    assert totals.errors.total == MAX_ERROR_KINDS + 1
    assert {row.kind.message: row.count for row in totals.errors}[OTHER_ERRORS] == 1


def test_a_closed_epoch_counts_in_the_ledger_but_not_in_the_rows() -> None:
    """A reset closes an epoch and deletes nothing: the target has counted these requests."""
    totals, agent = RunTotals(), Agent(1)
    agent.record(1_000, error="refused")
    agent.raise_in_user_code("boom")
    agent.interrupt()
    agent.flush(totals)
    totals.begin_epoch(2)
    agent.record(5_000, epoch=1, second=1)
    agent.record(7_000, epoch=2, second=1)
    agent.flush(totals)
    assert (totals.total.sums.requests, totals.failure_count, totals.exception_count) == (1, 0, 0)
    assert totals.total.sums.timed().max_us == 7_000
    assert (totals.all_epochs.requests, totals.all_epochs.failures, totals.interrupted_count) == (3, 1, 1)


def test_a_snapshot_after_a_reset_replaces_both_epochs() -> None:
    """It holds a slice for each."""
    totals, agent = RunTotals(), Agent(1)
    agent.record(1_000)
    agent.flush(totals)
    totals.begin_epoch(2)
    agent.record(2_000, epoch=2)
    agent.flush(totals)
    agent.record(3_000, epoch=2)
    agent.reports()
    agent.deliver(totals, agent.snapshot())
    assert totals.total.sums.requests == 2
    assert totals.all_epochs.requests == 3


def test_checks_are_rows_but_no_requests() -> None:
    """A named check fails without a request failing."""
    totals, agent = RunTotals(), Agent(1)
    agent.record(1_000)
    agent.record(1_000, name="is json", error="no", kind=report_pb2.SERIES_KIND_CHECK)
    agent.flush(totals)
    assert names(totals) == {"/": 1, "is json": 1}
    assert (totals.total.sums.requests, totals.failure_count, totals.all_epochs.requests) == (1, 0, 1)


def test_watermark_is_the_second_before_the_slowest_live_worker() -> None:
    """A second is complete when everybody has reported it; parts of a second come as they come."""
    totals, fast, slow = RunTotals(), Agent(1), Agent(2)
    fast.record(1, second=7)
    slow.record(1, second=4)
    fast.flush(totals, at_ms=7_300)
    slow.flush(totals, at_ms=7_300)
    assert totals.complete_until_ms([fast.key, slow.key]) == 4_000
    assert totals.complete_until_ms([fast.key]) == 7_000
    slow.flush(totals, at_ms=8_300)
    slow.flush(totals, at_ms=9_300)
    assert totals.complete_until_ms([slow.key]) == 7_000
    slow.flush(totals, at_ms=9_400, final=True)
    assert totals.complete_until_ms([fast.key, slow.key]) == 7_000
    fast.flush(totals, at_ms=9_500, final=True)
    assert totals.complete_until_ms([fast.key, slow.key]) == 8_000


def test_watermark_does_not_follow_empty_reports_that_waited_for_a_connection_together() -> None:
    """Two reports may be frozen before an outage; samples of the seconds after that come later."""
    totals, agent = RunTotals(), Agent(1)
    agent.record(1, second=2)
    agent.flush(totals, at_ms=3_300)
    agent.flush(totals, at_ms=9_300)
    agent.flush(totals, at_ms=9_310)
    assert totals.complete_until_ms([agent.key]) == 2_000
    agent.flush(totals, at_ms=10_300)
    assert totals.complete_until_ms([agent.key]) == 8_000


def test_current_rate_is_the_mean_of_the_complete_seconds_at_most_ten() -> None:
    """In the first seconds it is divided by what has passed, not by ten."""
    totals, agent = RunTotals(), Agent(1)
    for second in range(25):
        agent.record(1_000, second=second, times=10 if second < 12 else 30)
        agent.flush(totals, at_ms=second * 1_000 + 400)
        rate = totals.current_rates(totals.total, totals.complete_until_ms())[0]
        if 1 <= second < 13:
            assert rate == 10
    assert rate == 30
    assert totals.total_rates(totals.total)[0] == pytest.approx((12 * 10 + 13 * 30) / 24.4)
    assert totals.worker_rate(agent.key, totals.complete_until_ms()) == 30


def test_current_rate_leaves_out_the_time_in_which_the_master_was_away() -> None:
    """Users that ended with it, or were fenced, are no slower target."""
    totals, agent = RunTotals(), Agent(1)
    for second in (*range(5), *range(11, 16)):
        if second == 11:
            totals.resumed_ms = 10_100
            rate = totals.current_rates(totals.total, totals.complete_until_ms())[0]
            assert rate == 10  # until a second is complete it is that of before
        agent.record(1_000, second=second, times=10)
        agent.flush(totals, at_ms=second * 1_000 + 400)
    assert totals.current_rates(totals.total, totals.complete_until_ms())[0] == 10
    assert totals.worker_rate(agent.key, totals.complete_until_ms()) == 10


def test_rows_know_the_revision_at_which_they_changed() -> None:
    """Watchers are sent what changed."""
    totals, agent = RunTotals(), Agent(1)
    agent.record(1_000, name="/a")
    agent.flush(totals)
    before = totals.revision
    agent.record(1_000, name="/b")
    agent.flush(totals)
    assert {row.key.name: row.revision > before for row in totals.series} == {"/a": False, "/b": True}


def test_users_of_silent_workers_leave_the_history() -> None:
    """What nobody vouches for is not running."""
    totals, one, two = RunTotals(), Agent(1), Agent(2)
    status = report_pb2.WorkerStatus(users=[report_pb2.ClassCount(user_class="A", running=5)])
    for agent, at_ms in ((one, 500), (two, 600), (two, 20_500)):
        (report,) = agent.reports()
        report.status.CopyFrom(status)
        agent.deliver(totals, [report], at_ms=at_ms)
    assert [second.users for second in totals.history.between(0, 30_000)] == [10, 5]


def _slice(report: report_pb2.Report) -> report_pb2.Slice:
    return report.slices[0]


def _several(report: report_pb2.Report, *, places: list[int], counts: list[int]) -> None:
    cells = _slice(report).successful.cells
    cells.several_delta[:], cells.cell_count[:] = places, counts


MALFORMATIONS: dict[str, Callable[[report_pb2.Report], object]] = {
    "short column": lambda r: _slice(r).requests.pop(),
    "unknown series": lambda r: _slice(r).series_id.__setitem__(0, 99),
    "unknown error": lambda r: _slice(r).error_id.__setitem__(0, 99),
    "error counts of another length": lambda r: _slice(r).error_count.append(1),
    "more failures than requests": lambda r: _slice(r).failures.__setitem__(0, 1_000),
    "fewer failures than failed times": lambda r: _slice(r).failures.__setitem__(0, 0),
    "more requests than times": lambda r: _slice(r).requests.__setitem__(0, 100),
    "cells that do not add up": lambda r: _several(r, places=[1], counts=[7]),
    "a cell that is said to hold several and does not": lambda r: _several(r, places=[1], counts=[1]),
    "counts without places": lambda r: _several(r, places=[], counts=[2]),
    "a place beyond the cells": lambda r: _several(r, places=[2], counts=[2]),
    "places that do not ascend": lambda r: _several(r, places=[0, 0], counts=[2, 2]),
    "keys that do not ascend": lambda r: _slice(r).successful.cells.cell_delta.__setitem__(1, 0),
    "a count that is huge": lambda r: _slice(r).interrupted.__setitem__(0, 1 << 60),
    "another precision": lambda r: setattr(_slice(r).successful.cells, "precision_bits", 7),
    "a minimum in another bucket": lambda r: _slice(r).successful.min_us.__setitem__(0, 0),
    "a sum over the maximum": lambda r: _slice(r).successful.total_us.__setitem__(0, 1 << 40),
    "no width": lambda r: setattr(_slice(r), "width_ms", 0),
    "a start off the grid": lambda r: setattr(_slice(r), "start_ms", 300),
    "a start in another year": lambda r: setattr(_slice(r), "start_ms", 10**15),
    "an epoch that has not begun": lambda r: setattr(_slice(r), "stats_epoch", 2),
    "a number defined twice": lambda r: r.series.append(r.series[0]),
    "an unknown parent": lambda r: setattr(r.series[0], "parent_id", 50),
    "an unknown label set": lambda r: setattr(r.series[0], "label_set_id", 3),
    "an error of an unknown series": lambda r: setattr(r.errors[0], "series_id", 50),
    "a wrong second slice": lambda r: r.slices.append(report_pb2.Slice(series_id=[1], width_ms=1_000)),
}


@pytest.mark.parametrize("name", MALFORMATIONS)
@pytest.mark.parametrize("snapshot", [False, True])
def test_malformed_report_is_refused_and_changes_nothing(name: str, snapshot: bool) -> None:
    """Its sender is broken, which must not spoil what others have counted, nor half of it count."""
    totals, good, bad = RunTotals(), Agent(1), Agent(2)
    good.record(1_000, name="/good")
    good.flush(totals)
    for value in (1_000, 2_000):
        bad.record(value, name="/bad")
    bad.record(5_000, name="/bad", error="refused")
    (report,) = bad.reports()
    report.snapshot = snapshot
    broken = copy.deepcopy(report)
    MALFORMATIONS[name](broken)
    if name == "a wrong second slice":
        broken.slices[1].requests.append(3)
    before = (totals.revision, names(totals), totals.all_epochs.requests, dict(totals.worker_names))
    with pytest.raises(MalformedReport):
        totals.apply(bad.key, bad.name, broken)
    assert (totals.revision, names(totals), totals.all_epochs.requests, dict(totals.worker_names)) == before
    totals.apply(bad.key, bad.name, report)
    assert names(totals) == {"/good": 1, "/bad": 3}


def test_snapshot_of_a_worker_whose_contribution_is_not_known_changes_nothing() -> None:
    """It would count twice what the worker reported before."""
    totals, agent = RunTotals(), Agent(1)
    agent.record(1_000)
    agent.flush(totals)
    agent.record(2_000)
    agent.reports()
    (snapshot,) = agent.snapshot()
    with pytest.raises(UnknownContribution):
        totals.apply(agent.key, agent.name, snapshot)
    assert totals.total.sums.requests == 1
    totals.apply(agent.key, agent.name, snapshot, earlier=lambda: agent.counted)
    assert totals.total.sums.requests == 2
