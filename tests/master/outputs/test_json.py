"""`--json` is Locust's: scripts that read one read the other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_master.outputs.json import stats_json
from tests.master.outputs.runs_with_samples import CountingRun, Samples, report_of, shop_run

LOCUSTS_KEYS = {
    *("name", "method", "last_request_timestamp", "start_time", "num_requests", "num_none_requests"),
    *("num_failures", "total_response_time", "max_response_time", "min_response_time"),
    *("total_content_length", "response_times", "num_reqs_per_sec", "num_fail_per_sec"),
}


def _entries(counting: CountingRun) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(stats_json(report_of(counting)))
    return entries


def test_entry_has_locusts_keys() -> None:
    """A key that is missing breaks a script; one more breaks none."""
    entries = _entries(shop_run())
    assert len(entries) == 3
    for entry in entries:
        assert entry.keys() >= LOCUSTS_KEYS


def test_entry_has_locusts_values() -> None:
    """Times in ms, moments in seconds since 1970, counts by whole ms and by second of the wall clock."""
    page, buy, notify = _entries(shop_run())
    assert page == {
        "name": "/",
        "method": "GET",
        "start_time": 1_700_000_000.25,
        "last_request_timestamp": 1_700_000_002.25,
        "num_requests": 3,
        "num_none_requests": 0,
        "num_failures": 0,
        "total_response_time": 31.5,
        "max_response_time": 20.0,
        "min_response_time": 1.5,
        "total_content_length": 360,
        "response_times": {"2": 1, "10": 1, "20": 1},
        "num_reqs_per_sec": {"1700000000": 2, "1700000001": 1},
        "num_fail_per_sec": {},
    }
    assert (buy["num_failures"], buy["num_fail_per_sec"]) == (1, {"1700000000": 1})
    assert (notify["num_none_requests"], notify["response_times"]) == (1, {})
    assert (notify["min_response_time"], notify["max_response_time"]) == (None, 0)


def test_total_is_not_an_entry() -> None:
    """Locust's list has the names only; scripts add them up."""
    assert [entry["name"] for entry in _entries(shop_run())] == ["/", "/buy", "notify"]


def test_document_of_a_run_without_requests_is_an_empty_list() -> None:
    """A script reads it like any other."""
    assert _entries(CountingRun()) == []


@pytest.mark.parametrize("name", ["/größe/漢字", "/\x9b31m\u202e", '"\\\n'])
def test_document_is_ascii_and_gives_any_name_back(name: str) -> None:
    """It goes to stdout, whose encoding nobody chose, and perhaps to a terminal."""
    counting = CountingRun()
    counting.count(0, Samples(name, successful_us=(1,)))
    assert stats_json(report_of(counting)).isascii()
    assert [entry["name"] for entry in _entries(counting)] == [name]


@given(
    successful_us=st.lists(st.integers(0, 3_700_000_000), max_size=30),
    failed_us=st.lists(st.integers(0, 3_700_000_000), max_size=30),
    untimed=st.integers(0, 5),
)
def test_response_times_sum_to_the_timed_requests(
    successful_us: list[int], failed_us: list[int], untimed: int
) -> None:
    """Response times that meet in one key add up there; keys are whole numbers, as scripts take them."""
    counting = CountingRun()
    counting.count(
        0, Samples("/", successful_us=tuple(successful_us), failed_us=tuple(failed_us), untimed=untimed)
    )
    for entry in _entries(counting):
        counts = entry["response_times"]
        assert sum(counts.values()) == entry["num_requests"] - entry["num_none_requests"]
        assert sum(entry["num_reqs_per_sec"].values()) == entry["num_requests"]
        assert sum(entry["num_fail_per_sec"].values()) == entry["num_failures"]
        assert all(key.isdecimal() for key in counts)


@given(value_us=st.integers(0, 3_600_000_000))
def test_response_time_is_in_milliseconds(value_us: int) -> None:
    """From a microsecond to an hour: within a thousandth, and then rounded to a whole number."""
    counting = CountingRun()
    counting.count(0, Samples("/", successful_us=(value_us,)))
    ((key, count),) = _entries(counting)[0]["response_times"].items()
    assert count == 1
    assert abs(int(key) - value_us / 1_000) <= 0.5 + value_us / 1_000 * 0.001
