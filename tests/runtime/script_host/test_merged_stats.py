"""A snapshot of the master as `environment.stats` and `environment.runner`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_protocol.v1.report_pb2 import (
    ClassCount,
    RunnerState,
    RunnerStatus,
    SeriesDefinition,
    SeriesKind,
    WorkerState,
    WorkerStatus,
)
from locust_protocol.v1.snapshot_pb2 import (
    ClassUsers,
    ErrorRow,
    ExceptionRow,
    HistoryPoint,
    Quantile,
    RunState,
    RunSummary,
    SeriesRow,
    Snapshot,
    WorkerSummary,
)
from locust_runtime.environment import Environment
from locust_runtime.run.link import Link
from locust_runtime.run.log_buffer import LogBuffer
from locust_runtime.runners import MasterRunner
from locust_runtime.script_host.cluster_view import ClusterView
from locust_runtime.script_host.merged_stats import MergedStats, quantile_us
from locust_runtime.script_host.port import MasterPort
from locust_runtime.script_host.shape_ticker import wanted_by
from locust_runtime.script_host.uplink import Uplink
from locust_runtime.stats import get_percentile_stats_summary, get_stats_summary

STARTED_MS = 1_700_000_000_000


def series(number: int, name: str, requests: int, **fields: object) -> SeriesRow:
    definition = SeriesDefinition(
        id=number, kind=SeriesKind.SERIES_KIND_REQUEST, request_type="GET", name=name
    )
    return SeriesRow(id=number, definition=definition, requests=requests, **fields)  # type: ignore[arg-type]


def quantiles(**values_us: int) -> list[Quantile]:
    return [Quantile(share=float(f"0.{key[1:]}"), value_us=value) for key, value in values_us.items()]


def snapshot(*rows: SeriesRow, **fields: object) -> Snapshot:
    run = RunSummary(started_wall_ms=STARTED_MS, complete_until_ms=60_000)
    values: dict[str, object] = {"complete": True, "run": run, "series": rows}
    return Snapshot(**{**values, **fields})  # type: ignore[arg-type]


def test_entry_shows_the_figures_of_its_row_under_locusts_names() -> None:
    """Milliseconds outside, failed requests among the requests."""
    stats = MergedStats()
    row = series(
        1,
        "/cart",
        100,
        failures=25,
        untimed=10,
        mean_us=20_500,
        min_us=1_000,
        max_us=900_000,
        mean_bytes=300,
        current_rps=7.5,
        current_failures_per_second=0.5,
        total_rps=1.5,
        total_failures_per_second=0.25,
        quantiles=quantiles(p5=10_000, p95=80_000),
        last_minute=[0] * 57 + [3, 4, 0],
    )

    stats.show(snapshot(row, total=row))

    for entry in (stats.entries[("/cart", "GET")], stats.get("/cart", "GET"), stats.total):
        assert (entry.num_requests, entry.num_failures, entry.num_none_requests) == (100, 25, 10)
        assert entry.fail_ratio == 0.25
        assert (entry.avg_response_time, entry.median_response_time) == (20.5, 10)
        assert (entry.min_response_time, entry.max_response_time) == (1, 900)
        assert entry.get_response_time_percentile(0.95) == 80
        assert (entry.current_rps, entry.current_fail_per_sec) == (7.5, 0.5)
        assert (entry.total_rps, entry.total_fail_per_sec) == (1.5, 0.25)
        assert (entry.avg_content_length, entry.total_content_length) == (300, 30_000)
        assert entry.num_reqs_per_sec == {STARTED_MS // 1000 + 57: 3, STARTED_MS // 1000 + 58: 4}
        assert entry.last_request_timestamp == STARTED_MS / 1000 + 59
        assert entry.start_time == STARTED_MS / 1000
        assert entry.serialize()["num_requests"] == 100
        assert sum(entry.response_times.values()) <= 90
    assert (stats.num_requests, stats.num_failures) == (100, 25)
    assert get_stats_summary(stats)
    assert get_percentile_stats_summary(stats)


def test_entry_without_requests_shows_what_locust_shows() -> None:
    """Scripts divide and compare without asking first."""
    stats = MergedStats()
    stats.show(snapshot(series(1, "/", 0), total=SeriesRow()))

    entry = stats.get("/", "GET")

    assert (entry.fail_ratio, entry.avg_response_time, entry.get_response_time_percentile(0.95)) == (0, 0, 0)
    assert entry.min_response_time is None
    assert entry.last_request_timestamp is None
    assert stats.total.get_current_response_time_percentile(0.95) is None


def test_snapshot_replaces_the_one_before_in_the_same_objects() -> None:
    """A checker holds on to `environment.stats.total` for a whole run."""
    stats = MergedStats()
    stats.show(snapshot(series(1, "/a", 1), series(2, "/b", 1), SeriesRow(id=0, requests=9)))
    entry, errors = stats.get("/a", "GET"), stats.errors

    stats.show(snapshot(SeriesRow(id=1, requests=5), SeriesRow(id=0, requests=11)))

    assert stats.get("/a", "GET") is entry
    assert stats.errors is errors
    assert entry.num_requests == 5
    assert set(stats.entries) == {("/a", "GET"), ("(other)", "")}
    stats.show(Snapshot(complete=False, series=[SeriesRow(id=0, requests=12)]))
    assert set(stats.entries) == {("/a", "GET"), ("(other)", "")}


def test_series_that_count_no_requests_are_left_out() -> None:
    """Locust has no groups, checks and metrics; a sum over `entries` must stay a number of requests."""
    row = series(1, "checkout", 5)
    row.definition.kind = SeriesKind.SERIES_KIND_GROUP
    stats = MergedStats()

    stats.show(snapshot(row))

    assert not stats.entries


def test_errors_have_their_counts_and_times() -> None:
    """Epoch seconds, as in Locust."""
    stats = MergedStats()
    row = ErrorRow(
        request_type="GET", name="/", message="HTTPError('404')", count=3, first_ms=500, last_ms=2_500
    )

    stats.show(snapshot(errors=[row]))

    (error,) = stats.errors.values()
    assert error.to_name() == "GET /: HTTPError('404')"
    assert error.occurrences == 3
    assert (error.first_seen, error.last_seen) == (STARTED_MS / 1000 + 0.5, STARTED_MS / 1000 + 2.5)


def test_current_percentile_looks_at_the_last_ten_seconds() -> None:
    """The rule that stops a test when it has become slow must not see its good start."""

    def point(second: int, requests: int, value_us: int) -> HistoryPoint:
        found = quantiles(p95=value_us) if requests else []
        return HistoryPoint(start_ms=second * 1000, width_ms=1000, requests=requests, quantiles=found)

    stats = MergedStats()
    history = [point(0, 1_000, 1_000), point(50, 10, 100_000), point(58, 30, 300_000), point(59, 0, 0)]

    stats.show(snapshot(total=SeriesRow(), history=history))

    assert stats.total.get_current_response_time_percentile(0.95) == pytest.approx(250)


@given(
    values=st.lists(st.integers(0, 10**6), min_size=1, max_size=6).map(sorted),
    share=st.floats(0, 1),
    other=st.floats(0, 1),
)
def test_quantile_between_two_is_between_their_values(values: list[int], share: float, other: float) -> None:
    """Percentiles that are asked for but not sent are monotone and never beyond what was."""
    points = [
        Quantile(share=(place + 1) / (len(values) + 1), value_us=value) for place, value in enumerate(values)
    ]
    low, high = sorted((quantile_us(share, points, ()), quantile_us(other, points, ())))

    assert values[0] <= low <= high <= values[-1]
    assert (quantile_us(min(share, other), points, ()) - low) == pytest.approx(0, abs=1e-6)
    assert all(quantile_us(each.share, points, ()) == each.value_us for each in points)


class SilentLink(Link):
    """Sends nowhere."""

    def __init__(self) -> None:
        pass


@pytest.fixture
def view() -> tuple[ClusterView, MasterRunner]:
    stats = MergedStats()
    port = MasterPort(Uplink(SilentLink(), LogBuffer(source="script host")))
    runner = MasterRunner(Environment(), port)
    runner.environment.stats = stats
    return ClusterView(runner, stats, port), runner


def worker(name: str, state: WorkerState.ValueType, *runners: RunnerStatus) -> WorkerSummary:
    users = [ClassCount(user_class="Shop", running=sum(each.users for each in runners))]
    return WorkerSummary(name=name, state=state, status=WorkerStatus(runners=runners, users=users))


def process(index: int, users: int = 0, state: int = RunnerState.RUNNER_STATE_READY) -> RunnerStatus:
    return RunnerStatus(index=index, users=users, state=state, cpu_percent=50)  # type: ignore[arg-type]


def test_runner_shows_the_run(view: tuple[ClusterView, MasterRunner]) -> None:
    """State under Locust's name, users over all workers."""
    shown, runner = view
    run = RunSummary(
        state=RunState.RUN_STATE_SPAWNING,
        target_users=10,
        spawn_rate=2.5,
        classes=[ClassUsers(user_class="Shop", running=3, planned=4)],
    )
    exception = ExceptionRow(message="no", traceback="File x", count=2, workers=["w"])

    shown.show(Snapshot(complete=True, run=run, exceptions=[exception]))

    assert runner.state == "spawning"
    assert (runner.user_count, runner.user_classes_count) == (3, {"Shop": 3})
    assert (runner.target_user_count, runner.target_user_classes_count) == (10, {"Shop": 4})
    assert runner.spawn_rate == 2.5
    assert runner.exceptions == {
        hash("File x"): {"count": 2, "msg": "no", "traceback": "File x", "nodes": {"w"}}
    }


@pytest.mark.parametrize(
    ("state", "name"),
    [
        (RunState.RUN_STATE_UNSPECIFIED, "ready"),
        (RunState.RUN_STATE_READY, "ready"),
        (RunState.RUN_STATE_SPAWNING, "spawning"),
        (RunState.RUN_STATE_RUNNING, "running"),
        (RunState.RUN_STATE_STOPPING, "stopping"),
        (RunState.RUN_STATE_STOPPED, "stopped"),
    ],
)
def test_state_of_the_run_has_locusts_name(
    view: tuple[ClusterView, MasterRunner], state: RunState.ValueType, name: str
) -> None:
    """Locustfiles compare with these texts."""
    shown, runner = view
    shown.show(Snapshot(run=RunSummary(state=state)))
    assert runner.state == name


def test_each_runner_of_each_worker_is_a_client(view: tuple[ClusterView, MasterRunner]) -> None:
    """Toward user code a worker is a runner."""
    shown, runner = view
    shown.add_worker("old_9", 9)
    shown.add_worker("new_7", 7)
    workers = [
        worker("a", WorkerState.WORKER_STATE_RUNNING, process(0, 2), process(1, 3)),
        worker("b", WorkerState.WORKER_STATE_SPAWNING, process(2, 4)),
        worker("c", WorkerState.WORKER_STATE_MISSING, process(3)),
        worker("d", WorkerState.WORKER_STATE_GONE, process(4)),
        worker("e", WorkerState.WORKER_STATE_READY, process(5, 0, RunnerState.RUNNER_STATE_DEAD)),
        worker("new", WorkerState.WORKER_STATE_READY),
    ]

    shown.show(Snapshot(complete=True, workers=workers))

    assert {each.id: (each.state, each.user_count) for each in runner.clients.all} == {
        "a_0": ("running", 2),
        "a_1": ("running", 3),
        "b_2": ("spawning", 4),
        "c_3": ("missing", 0),
        "e_5": ("missing", 0),
        "new_7": ("ready", 0),
    }
    assert runner.clients["b_2"].user_classes_count == {"Shop": 4}
    assert runner.worker_count == 4
    assert (shown.client_id(1), shown.client_id(7), shown.client_id(9)) == ("a_1", "new_7", "9")


def test_snapshot_of_an_earlier_run_is_not_shown_in_the_next(view: tuple[ClusterView, MasterRunner]) -> None:
    """A checker that starts with the run would see "stopped" and end at once."""
    shown, runner = view
    shown.begin(b"new")
    shown.show(Snapshot(run=RunSummary(run_id=b"old", state=RunState.RUN_STATE_STOPPED)))
    assert runner.state == "spawning"
    shown.show(Snapshot(run=RunSummary(run_id=b"new", state=RunState.RUN_STATE_RUNNING)))
    assert runner.state == "running"


@pytest.mark.parametrize(
    "tick", [(1,), 5, "12", (float("nan"), 1), (-1, 1), (1, 0), (1, float("inf")), ("x", 1)]
)
def test_tick_of_no_known_form_is_refused(tick: object) -> None:
    """A typo in a shape is told by its value."""
    with pytest.raises((ValueError, TypeError)):
        wanted_by(tick)
