"""Request statistics as user code reads them."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_runtime import request_stats, stats
from locust_runtime.exceptions import CatchResponseError
from locust_runtime.request_stats import RequestStats
from locust_runtime.stats_errors import StatsError


class Clock:
    """The wall clock that the statistics read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000_000.0
        monkeypatch.setattr(request_stats.time, "time", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_empty_statistics_are_zeros() -> None:
    """Nobody has to guard a division."""
    total = RequestStats().total
    assert total.fail_ratio == total.avg_response_time == total.median_response_time == 0
    assert total.min_response_time is None
    assert total.max_response_time == total.total_rps == total.current_rps == total.avg_content_length == 0
    assert total.get_response_time_percentile(0.95) == 0
    assert total.get_current_response_time_percentile(0.95) is None


def test_requests_are_counted_by_name_and_method_and_in_total() -> None:
    """`entries[(name, method)]`."""
    all_stats = RequestStats()
    all_stats.log_request("GET", "/a", 10, 100)
    all_stats.log_request("POST", "/a", 30, 300)
    assert all_stats.entries["/a", "GET"].num_requests == 1
    assert all_stats.get("/a", "POST").avg_response_time == 30
    assert all_stats.num_requests == all_stats.total.num_requests == 2
    assert all_stats.total.avg_response_time == 20
    assert all_stats.total.avg_content_length == 200
    assert (all_stats.total.name, all_stats.total.method) == ("Aggregated", "")


def test_failed_requests_are_requests_too() -> None:
    """As Locust counts: a failure is logged besides the request."""
    all_stats = RequestStats()
    for _ in range(4):
        all_stats.log_request("GET", "/", 1, 0)
    all_stats.log_error("GET", "/", "boom")
    assert all_stats.total.fail_ratio == 0.25
    assert all_stats.entries["/", "GET"].num_failures == 1


def test_requests_without_a_response_time_do_not_shift_averages() -> None:
    """They are in # reqs only."""
    all_stats = RequestStats()
    all_stats.log_request("GET", "/", None, 0)
    all_stats.log_request("GET", "/", 10, 0)
    assert (all_stats.num_requests, all_stats.num_none_requests) == (2, 1)
    assert all_stats.total.avg_response_time == 10
    assert all_stats.total.median_response_time == 10


@given(st.lists(st.floats(0.001, 60_000), min_size=1, max_size=50), st.sampled_from([0.0, 0.5, 0.9, 1.0]))
def test_percentiles_are_right_to_a_tenth_of_a_percent(times: list[float], share: float) -> None:
    """And lie between the smallest and the largest."""
    entry = RequestStats().get("/", "GET")
    for each in times:
        entry.log(each, 0)
    in_us = sorted(round(each * 1000) for each in times)
    expected = in_us[max(0, -int(-share * len(in_us) // 1) - 1)] / 1000
    assert entry.get_response_time_percentile(share) == pytest.approx(expected, rel=0.001, abs=0.001)


def test_current_rate_is_the_mean_of_ten_seconds_that_ended_two_ago(clock: Clock) -> None:
    """The window of Locust's console: [last-12, last-2)."""
    all_stats = RequestStats()
    for second in range(20):
        clock.now = 1_000_000.0 + second
        for _ in range(second):
            all_stats.log_request("GET", "/", 1, 0)
    assert all_stats.total.current_rps == sum(range(7, 17)) / 10


def test_total_rate_is_up_to_the_last_request(clock: Clock) -> None:
    """Idle time at the end does not count."""
    all_stats = RequestStats()
    clock.now += 10
    for _ in range(50):
        all_stats.log_request("GET", "/", 1, 0)
    clock.now += 1000
    assert all_stats.total.total_rps == 5


def test_current_percentile_forgets_what_is_older_than_ten_seconds(clock: Clock) -> None:
    """It shows what users feel now."""
    total = RequestStats().total
    total.log(1000, 0)
    clock.now += 11
    total.log(10, 0)
    assert total.get_current_response_time_percentile(1.0) == 10
    assert total.get_response_time_percentile(1.0) == 1000


def test_counts_per_second_are_bounded(clock: Clock) -> None:
    """A soak of days must not fill the memory."""
    total = RequestStats().total
    for _ in range(request_stats.KEPT_SECONDS + 10):
        clock.now += 1
        total.log(1, 0)
    assert len(total.num_reqs_per_sec) == request_stats.KEPT_SECONDS


def test_reset_keeps_the_entries_and_clear_removes_them() -> None:
    """`reset_all` and `clear_all`."""
    all_stats = RequestStats()
    all_stats.log_request("GET", "/", 1, 0)
    all_stats.log_error("GET", "/", "boom")
    all_stats.history.append({})
    all_stats.reset_all()
    assert list(all_stats.entries) == [("/", "GET")]
    assert all_stats.num_requests == all_stats.num_failures == len(all_stats.errors) == 0
    assert all_stats.history == []
    all_stats.clear_all()
    assert not all_stats.entries


def test_extending_equals_having_logged_everything_in_one_place() -> None:
    """Merging is exact."""
    one, other, both = RequestStats(), RequestStats(), RequestStats()
    for target, value in ((one, 5.0), (other, 50.0), (other, None)):
        for each in (target, both):
            each.log_request("GET", "/", value, 10)
    one.total.extend(other.total)
    names = ("num_requests", "num_none_requests", "total_content_length", "histogram", "num_reqs_per_sec")
    for name in names:
        assert getattr(one.total, name) == getattr(both.total, name)


def test_interrupted_requests_are_in_no_other_figure() -> None:
    """They have no outcome."""
    all_stats = RequestStats()
    all_stats.log_interrupted("GET", "/")
    assert all_stats.entries["/", "GET"].num_interrupted == all_stats.total.num_interrupted == 1
    assert all_stats.num_requests == all_stats.num_failures == 0


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ("boom", "boom"),
        (ValueError("bad"), "ValueError('bad')"),
        ("<Pool object at 0x7f00a1> gone", "<Pool object at 0x....> gone"),
        (None, "None"),
    ],
)
def test_errors_are_grouped_by_a_text_without_addresses(error: Any, text: str) -> None:
    """An address differs every time."""
    assert StatsError.parse_error(error) == text


def test_same_failure_is_one_error_with_its_number() -> None:
    """By method, name and text."""
    all_stats = RequestStats()
    for _ in range(3):
        all_stats.log_error("GET", "/", ValueError("bad"))
    all_stats.log_error("POST", "/", ValueError("bad"))
    assert sorted(error.occurrences for error in all_stats.errors.values()) == [1, 3]


@pytest.mark.parametrize("error", [CatchResponseError("too slow"), "CatchResponseError(too slow)"])
def test_text_of_response_failure_stands_bare(error: Any) -> None:
    """Whether it comes as an object or, from a worker, as text."""
    assert StatsError("GET", "/", error).to_name() == "GET /: too slow"


def test_plain_data_has_the_keys_of_locusts_json() -> None:
    """Scripts read them."""
    all_stats = RequestStats()
    all_stats.log_request("GET", "/", 12.3, 5)
    (row,) = all_stats.serialize_stats()
    assert set(row) == {
        "name",
        "method",
        "last_request_timestamp",
        "start_time",
        "num_requests",
        "num_none_requests",
        "num_failures",
        "total_response_time",
        "max_response_time",
        "min_response_time",
        "total_content_length",
        "response_times",
        "num_reqs_per_sec",
        "num_fail_per_sec",
    }
    assert row["response_times"] == {12: 1}


def test_tables_show_each_row_and_follow_the_settings(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Locustfiles set the percentiles."""
    monkeypatch.setattr(stats, "PERCENTILES_TO_REPORT", [0.5, 0.999])
    all_stats = RequestStats()
    all_stats.log_request("GET", "/a", 10, 0)
    all_stats.log_error("GET", "/a", "boom")
    with caplog.at_level(logging.INFO):
        stats.print_stats(all_stats)
        stats.print_percentile_stats(all_stats)
        stats.print_error_report(all_stats)
    assert "99.9%" in caplog.text
    assert "95%" not in caplog.text
    assert "1(100.00%)" in caplog.text
    assert "GET /a: boom" in caplog.text


@pytest.mark.parametrize(
    ("share", "title"), [(0.5, "50%"), (0.999, "99.9%"), (0.9999, "99.99%"), (1.0, "100%")]
)
def test_percentiles_have_readable_titles(share: float, title: str) -> None:
    """They are the headers of the CSV files."""
    assert stats.get_readable_percentiles([share]) == [title]
