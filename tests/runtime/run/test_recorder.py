"""The recorder: what goes in comes out once, under the right name, second and column."""

from __future__ import annotations

import errno
import random
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locust_protocol.histogram import Histogram
from locust_protocol.histogram_codec import decode_cells
from locust_protocol.limits import MAX_ERROR_KINDS, MAX_NAME_CHARS, MAX_PENDING_SLICES
from locust_protocol.v1.report_pb2 import ErrorOrigin, Report
from locust_runtime.run import recorder as recorder_module
from locust_runtime.run.recorder import RunRecorder

SECOND_NS = 1_000_000_000


class Clock:
    """The monotonic clock as the recorder sees it."""

    def __init__(self) -> None:
        self.now_ns = 50 * SECOND_NS

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(recorder_module, "monotonic_ns", clock)
    return clock


def recording(*, max_series: int = 0, epoch: int = 0, start_ns: int = 50 * SECOND_NS) -> RunRecorder:
    recorder = RunRecorder(max_series=max_series)
    recorder.start_run(run_start_ns=start_ns, stats_epoch=epoch)
    return recorder


def column(report: Report, name: str) -> Counter[int]:
    """The sum of a column by series, over all slices."""
    sums: Counter[int] = Counter()
    for each in report.slices:
        for series_id, value in zip(each.series_id, getattr(each, name), strict=True):
            sums[series_id] += value
    return +sums


def test_recorder_counts_each_outcome_in_its_columns(clock: Clock) -> None:
    """Failures count as requests too, those without a time as untimed; interrupted ones as nothing else."""
    recorder = recording()
    recorder.record("GET", "/a", 12.5, 100)
    recorder.record("GET", "/a", 20.0, 50, ValueError("no"))
    recorder.record("GET", "/a", None, 7)
    recorder.record("GET", "/a", None, 0, ValueError("no"))
    recorder.record_interrupted("GET", "/a")
    (sent,) = recorder.drain().slices
    assert (sent.requests[0], sent.failures[0], sent.untimed[0], sent.interrupted[0]) == (4, 2, 2, 1)
    assert sent.response_bytes[0] == 157
    assert (sent.successful.count[0], sent.successful.total_us[0]) == (1, 12_500)
    assert (sent.failed.count[0], sent.failed.min_us[0], sent.failed.max_us[0]) == (1, 20_000, 20_000)
    assert list(sent.error_count) == [2]


def test_recorder_tells_each_sample_once_and_each_name_once(clock: Clock) -> None:
    """Reports are deltas."""
    recorder = recording()
    recorder.record("GET", "/a", 1.0, 0)
    first = recorder.drain()
    assert not recorder.has_samples
    recorder.record("GET", "/a", 1.0, 0)
    recorder.record("POST", "/a", 1.0, 0)
    second = recorder.drain()
    assert [(each.id, each.request_type, each.name) for each in first.series] == [(1, "GET", "/a")]
    assert [(each.id, each.request_type, each.name) for each in second.series] == [(2, "POST", "/a")]
    assert column(second, "requests") == {1: 1, 2: 1}
    assert not recorder.drain().slices


def test_recorder_puts_samples_into_the_second_in_which_they_end(clock: Clock) -> None:
    """On the run's timeline, whose zero may lie anywhere between two beats of the clock."""
    recorder = recording(start_ns=clock.now_ns - 300_000_000)
    recorder.record("GET", "/a", 1.0, 0)
    clock.now_ns += 699_999_999
    recorder.record("GET", "/a", 1.0, 0)
    clock.now_ns += 1
    recorder.record("GET", "/a", 1.0, 0)
    clock.now_ns += 5 * SECOND_NS
    recorder.record("GET", "/a", 1.0, 0)
    told = [(each.start_ms, each.width_ms, each.requests[0]) for each in recorder.drain().slices]
    assert told == [(0, 1000, 2), (1000, 1000, 1), (6000, 1000, 1)]


def test_recorder_counts_in_the_first_second_when_the_run_starts_later(clock: Clock) -> None:
    """A listener may send requests before run time zero."""
    recorder = recording(start_ns=clock.now_ns + 2 * SECOND_NS)
    recorder.record("GET", "/a", 1.0, 0)
    assert [each.start_ms for each in recorder.drain().slices] == [0]


def test_recorder_keeps_epochs_apart_within_a_second(clock: Clock) -> None:
    """A reset closes an epoch and deletes nothing."""
    recorder = recording(epoch=4)
    recorder.record("GET", "/a", 1.0, 0)
    recorder.set_epoch(5)
    recorder.record("GET", "/a", 1.0, 0)
    recorder.record("GET", "/a", 1.0, 0)
    told = [(each.start_ms, each.stats_epoch, each.requests[0]) for each in recorder.drain().slices]
    assert told == [(0, 4, 1), (0, 5, 2)]


def test_recorder_drops_samples_when_no_run_is_on(clock: Clock) -> None:
    """They belong to nothing; they are counted, as law 5 wants no silent loss."""
    recorder = RunRecorder()
    recorder.record("GET", "/a", 1.0, 0)
    recorder.record_interrupted("GET", "/a")
    assert not recorder.has_samples
    assert recorder.dropped_samples == 2
    recorder.start_run(run_start_ns=clock.now_ns, stats_epoch=0)
    recorder.record("GET", "/a", 1.0, 0)
    recorder.end_run()
    assert not recorder.has_samples


def test_recorder_numbers_names_anew_in_each_run(clock: Clock) -> None:
    """Numbers are within a run."""
    recorder = recording()
    recorder.record("GET", "/a", 1.0, 0)
    recorder.drain()
    recorder.start_run(run_start_ns=clock.now_ns, stats_epoch=0)
    recorder.record("GET", "/b", 1.0, 0)
    assert [(each.id, each.name) for each in recorder.drain().series] == [(1, "/b")]


def test_recorder_counts_names_over_the_limit_as_other(clock: Clock) -> None:
    """An id in each path must neither fill the memory nor lose a sample."""
    recorder = recording(max_series=2)
    for number in range(5):
        recorder.record("GET", f"/user/{number}", 1.0, 10)
        recorder.record("GET", f"/user/{number}", None, 0, "failed")
    report = recorder.drain()
    assert column(report, "requests") == {0: 6, 1: 2, 2: 2}
    assert column(report, "failures") == {0: 3, 1: 1, 2: 1}
    assert len(report.series) == 2
    assert recorder.is_over_series_limit


def test_recorder_takes_whatever_a_locustfile_passes(clock: Clock) -> None:
    """A strange name, time or length must not cost the sample, nor any other one."""
    recorder = recording()
    odd: list[tuple[Any, Any, Any, Any]] = [
        (None, None, 1.0, 0),
        ("GET", ["a", "list"], 1.0, None),
        ("GET", "/" + "x" * 10_000, float("nan"), 1),
        ("GET", "/surrogate\ud800", float("inf"), "12"),
        ("GET", "/a", "3", "long"),
        ("GET", "/a", -5.0, -3),
        ("GET", "/a", 1e12, float("nan")),
        (
            "GET",
            "/a",
            1.0,
            float("inf"),
        ),
    ]
    for request_type, name, response_time_ms, response_length in odd:
        recorder.record(request_type, name, response_time_ms, response_length)
    report = recorder.drain()
    assert sum(column(report, "requests").values()) == len(odd)
    assert max(len(each.name) for each in report.series) <= MAX_NAME_CHARS
    assert Report.FromString(report.SerializeToString()) == report


def test_recorder_groups_errors_by_text_without_addresses(clock: Clock) -> None:
    """The same error at another address is the same error."""
    recorder = recording()
    for _ in range(3):
        recorder.record("GET", "/a", 1.0, 0, ValueError(object()))
    (definition,) = recorder.drain().errors
    assert definition.message == "ValueError(<object object at 0x....>)"
    assert definition.series_id == 1


def test_recorder_counts_error_kinds_over_the_limit_as_other(clock: Clock) -> None:
    """A text with an id in it must not fill the memory; the failures count all the same."""
    recorder = recording()
    for number in range(MAX_ERROR_KINDS + 7):
        recorder.record("GET", "/a", 1.0, 0, f"id {number}")
    report = recorder.drain()
    assert len(report.errors) == MAX_ERROR_KINDS
    counts = dict(zip(report.slices[0].error_id, report.slices[0].error_count, strict=True))
    assert counts[0] == 7
    assert sum(counts.values()) == MAX_ERROR_KINDS + 7


def test_recorder_tells_whose_fault_an_error_is(clock: Clock) -> None:
    """A generator without descriptors makes a result worthless, so it must not look like the target."""
    recorder = recording()
    recorder.record("GET", "/a", None, 0, OSError(errno.EMFILE, "Too many open files"))
    recorder.record("GET", "/a", None, 0, ConnectionRefusedError(errno.ECONNREFUSED, "refused"))
    recorder.record("GET", "/a", None, 0, NameError("nme"))
    origins = [each.origin for each in recorder.drain().errors]
    assert origins == [
        ErrorOrigin.ERROR_ORIGIN_GENERATOR,
        ErrorOrigin.ERROR_ORIGIN_TARGET,
        ErrorOrigin.ERROR_ORIGIN_SCRIPT,
    ]


def test_recorder_counts_exceptions_by_message_and_traceback(clock: Clock) -> None:
    """The same message from another line is another exception."""
    recorder = recording()
    recorder.record_exception(ValueError("no"), "line 1")
    recorder.record_exception(ValueError("no"), "line 1")
    recorder.record_exception(ValueError("no"), "line 2")
    report = recorder.drain()
    assert [(each.message, each.traceback) for each in report.exceptions] == [
        ("no", "line 1"),
        ("no", "line 2"),
    ]
    assert list(report.slices[0].exception_count) == [2, 1]


def test_recorder_joins_seconds_and_loses_no_count_when_reports_are_held_back(clock: Clock) -> None:
    """Memory is bounded, totals are not touched, starts stay multiples of the width."""
    recorder = recording()
    seconds = 5 * MAX_PENDING_SLICES
    for _ in range(seconds):
        recorder.record("GET", "/a", 3.0, 1)
        clock.now_ns += SECOND_NS
    report = recorder.drain()
    assert len(report.slices) <= MAX_PENDING_SLICES + 1
    assert column(report, "requests") == {1: seconds}
    assert all(each.start_ms % each.width_ms == 0 for each in report.slices)
    assert recorder.joined_slices == seconds - len(report.slices)


@settings(deadline=None)
@given(st.lists(st.floats(min_value=-10, max_value=5e6), min_size=1, max_size=60))
def test_recorder_gives_the_same_histogram_as_its_slow_twin(times_ms: list[float]) -> None:
    """The inlined path and Histogram.record agree on every value."""
    recorder = recording(start_ns=time.monotonic_ns() - 1000)
    twin = Histogram()
    for time_ms in times_ms:
        recorder.record("GET", "/a", time_ms, 0)
        twin.record(max(0, int(time_ms * 1000.0 + 0.5)))
    (sent,) = recorder.drain().slices[:1]
    timed = sent.successful
    columns = timed.cells
    (cells,) = decode_cells(columns.cell_delta, columns.cell_count, columns.several_delta, row_count=1)
    assert cells == twin.counts
    assert (timed.count[0], timed.total_us[0]) == (twin.count, twin.total_us)
    assert (timed.min_us[0], timed.max_us[0]) == (twin.min_us, twin.max_us)


def test_recorder_costs_little() -> None:
    """The hot path; the limit is ten times what it takes, the figure is printed with -s."""
    recorder = recording(start_ns=time.monotonic_ns())
    generator = random.Random(7)
    times_ms = [generator.lognormvariate(3.5, 1.0) for _ in range(20_000)]
    record = recorder.record
    best_us = float("inf")
    for _ in range(5):
        started = time.process_time()
        for time_ms in times_ms:
            record("GET", "/path", time_ms, 100, None)
        best_us = min(best_us, (time.process_time() - started) / len(times_ms) * 1e6)
    print(f"record: {best_us:.2f} µs a request")
    assert best_us < 50
