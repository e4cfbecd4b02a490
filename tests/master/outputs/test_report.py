"""The report reads a run's numbers once, for all formats."""

from __future__ import annotations

import pytest

from locust_master.outputs.report import make_report
from locust_protocol.v1 import report_pb2
from tests.master.outputs.runs_with_samples import (
    END_NS,
    STARTED_WALL_MS,
    TRACEBACK,
    CountingRun,
    Samples,
    report_of,
    shop_run,
)


def test_row_has_the_exact_sums_of_its_series() -> None:
    """Counts, bytes and times in µs as they were on the wire."""
    row = report_of(shop_run()).rows[0]
    assert (row.request_type, row.name, row.requests, row.failures) == ("GET", "/", 3, 0)
    assert (row.timed.min_us, row.timed.max_us, row.timed.total_us) == (1_500, 20_000, 31_500)
    assert row.mean_us == 10_500
    assert row.median_us == pytest.approx(10_000, rel=0.001)
    assert (row.response_bytes, row.mean_bytes) == (360, 120.0)


def test_rows_stand_in_the_order_of_names() -> None:
    """A table that reorders itself between two looks cannot be compared."""
    report = report_of(shop_run())
    assert [(row.request_type, row.name) for row in report.rows] == [
        ("GET", "/"),
        ("POST", "/buy"),
        ("WS", "notify"),
    ]


def test_total_is_the_sum_of_the_rows() -> None:
    """The line that people read first must be that of the lines above it."""
    report = report_of(shop_run())
    total = report.aggregated
    assert total.name == "Aggregated"
    assert total.requests == sum(row.requests for row in report.rows) == 5
    assert total.failures == sum(row.failures for row in report.rows) == 1
    assert total.untimed == sum(row.untimed for row in report.rows) == 1
    assert total.failure_share == 0.2
    assert (total.timed.min_us, total.timed.max_us, total.timed.total_us) == (1_500, 250_000, 281_500)


def test_total_rate_is_over_the_time_that_all_requests_took() -> None:
    """Five requests in two seconds are 2.5 a second, of which a row has its share."""
    report = report_of(shop_run())
    assert (report.aggregated.total_rps, report.aggregated.total_failures_per_second) == (2.5, 0.5)
    assert [row.total_rps for row in report.rows] == [1.5, 0.5, 0.5]


@pytest.mark.parametrize(
    "kind", [report_pb2.SERIES_KIND_GROUP, report_pb2.SERIES_KIND_CHECK, report_pb2.SERIES_KIND_METRIC]
)
def test_series_that_are_no_requests_are_no_rows(kind: report_pb2.SeriesKind.ValueType) -> None:
    """A group's time or a metric's value among requests would make the rows sum to more than the total."""
    counting = CountingRun()
    counting.count(
        0, Samples("/", successful_us=(1_000,)), Samples("other", successful_us=(9_000,), kind=kind)
    )
    report = report_of(counting)
    assert [row.name for row in report.rows] == ["/"]
    assert report.aggregated.requests == 1


def test_failure_and_exception_keep_their_texts_counts_and_workers() -> None:
    """Where an exception was raised is half of what it says."""
    report = report_of(shop_run())
    (failure,) = report.failures
    assert (failure.request_type, failure.name, failure.message, failure.count) == (
        "POST",
        "/buy",
        "500 Server Error",
        1,
    )
    assert (failure.first_ms, failure.last_ms) == (0, 1_000)
    (exception,) = report.exceptions
    assert (exception.message, exception.traceback, exception.count) == ("no stock", TRACEBACK, 2)
    assert exception.workers == ("w1",)


def test_report_of_a_run_without_requests_is_empty() -> None:
    """A target that was never reached is a report like any other."""
    report = report_of(CountingRun())
    assert (report.rows, report.failures, report.exceptions, report.seconds) == ((), (), (), ())
    assert (report.aggregated.requests, report.aggregated.median_us, report.aggregated.mean_us) == (
        0,
        0.0,
        0.0,
    )
    assert (report.aggregated.mean_bytes, report.aggregated.failure_share) == (0.0, 0.0)


def test_request_that_was_only_interrupted_is_in_no_row_but_is_said() -> None:
    """It is in no table, so the report says how many there were."""
    counting = CountingRun()
    counting.count(0, Samples("/slow", interrupted=1))
    report = report_of(counting)
    assert (report.rows, report.interrupted) == ((), 1)


def test_elapsed_time_and_start_are_those_of_the_run() -> None:
    """Every moment of a report is the wall clock of the start plus run time."""
    report = report_of(shop_run())
    assert report.elapsed_ms == 60_000
    assert report.wall_s(1_000) == (STARTED_WALL_MS + 1_000) / 1_000


def test_seconds_are_read_only_when_asked_for() -> None:
    """A day has 86,400 of them, and a progress line needs none."""
    shop = shop_run()
    assert make_report(shop.run, now_ns=END_NS).seconds == ()
    seconds = make_report(shop.run, now_ns=END_NS, with_seconds=True).seconds
    assert [(second.requests, second.until_end.requests) for second in seconds[:2]] == [(3, 3), (2, 5)]
