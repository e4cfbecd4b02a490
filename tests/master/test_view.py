"""What clients see: whole at first, then only what changed; and what they are warned of."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from locust_master.losses import Loss
from locust_master.security.protection_terms import ProtectionTerms
from locust_master.snapshot import PART_ROWS
from locust_master.view import ViewStream, host_snapshot, status_snapshot, wait_prepared
from locust_master.worker_rows import WorkerRows
from locust_protocol.process.errors import UsageError
from locust_protocol.v1 import control_service_pb2, report_pb2, snapshot_pb2
from tests.master.agents import RUN_ID, Agent
from tests.master.cluster_builders import Fleet, make_run, registration


class Watched:
    """A run of one worker that reports once a second, and what a reader sees of it."""

    def __init__(self, **request: Any) -> None:
        self.fleet = Fleet()
        self.member = self.fleet.join(registration(1))
        settings = SimpleNamespace(expect_workers=1, protection=ProtectionTerms(is_insecure=True))
        self.conductor: Any = SimpleNamespace(settings=settings, writer=None)
        self.agent = Agent(1, run_id=RUN_ID)
        self.stream = self.new_stream(**request)

    def new_stream(self, **request: Any) -> ViewStream:
        wish = control_service_pb2.WatchRequest(**request)
        return ViewStream(self.fleet.cluster, self.conductor, wish)

    def start(self) -> None:
        self.run = make_run(users=10, spawn_rate=10)
        self.fleet.cluster.begin(self.run)

    def report(self, *, users: int = 4, lag_us: int = 0, cpu_percent: float = 0.0, refusal: str = "") -> None:
        status = report_pb2.WorkerStatus(
            users=[report_pb2.ClassCount(user_class="A", running=users)],
            runners=[report_pb2.RunnerStatus(slot=0, index=3, lag_p99_us=lag_us, cpu_percent=cpu_percent)],
            refusal=refusal,
        )
        for report in self.agent.reports():
            report.status.CopyFrom(status)
            self.fleet.tell(self.member, report)
            self.agent.accept(report.sequence)

    def next(self) -> snapshot_pb2.Snapshot:
        return self.stream.next_snapshot(now_ns=self.fleet.now_ns)


def kinds(snapshot: snapshot_pb2.Snapshot) -> set[int]:
    return {warning.kind for warning in snapshot.warnings} - {snapshot_pb2.WARNING_KIND_INSECURE}


def test_stream_without_a_run_shows_the_workers() -> None:
    """A screen that opens before the start must be able to say who is here."""
    watched = Watched()
    snapshot = watched.next()
    assert snapshot.complete
    assert snapshot.run.state == snapshot_pb2.RUN_STATE_READY
    assert snapshot.run.expected_workers == 1
    assert [worker.name for worker in snapshot.workers] == ["w1"]
    assert not watched.next().complete


def test_stream_is_whole_at_first_and_then_tells_what_changed() -> None:
    """2,000 names in full each second would be megabytes."""
    watched = Watched(history_seconds=60)
    watched.start()
    watched.fleet.seconds = 1.2
    watched.agent.record(5_000, name="/a", second=0, error="refused")
    watched.agent.record(7_000, name="/b", second=1)
    watched.report()
    first = watched.next()
    assert first.complete
    assert [row.definition.name for row in first.series] == ["/a", "/b"]
    assert first.total.requests == 2
    assert [error.message for error in first.errors] == ["refused"]
    assert [point.start_ms for point in first.history] == [0]

    watched.fleet.seconds = 200
    watched.agent.record(9_000, name="/b", second=200)
    watched.report()
    second = watched.next()
    assert not second.complete
    assert second.errors == []
    assert {point.start_ms for point in second.history} == {1_000}
    (row,) = [row for row in second.series if row.requests == 2]
    assert not row.HasField("definition")

    watched.fleet.seconds = 300
    watched.agent.record(9_000, name="/b", second=300)
    watched.report()
    watched.next()
    assert [row.id for row in watched.next().series] == [2], "/a has been quiet for more than a minute"


def test_stream_is_whole_again_for_a_new_run_and_a_new_epoch() -> None:
    """Rows of another run, or of closed statistics, must not stay on a screen."""
    watched = Watched()
    watched.start()
    watched.agent.record(5_000)
    watched.report()
    assert watched.next().complete
    watched.fleet.cluster.reset_statistics()
    reset = watched.next()
    assert reset.complete
    assert (len(reset.series), reset.total.requests, reset.run.stats_epoch) == (0, 0, 2)
    watched.start()
    assert watched.next().complete
    assert not watched.next().complete


def test_worker_that_is_lost_is_shown_without_users_and_rate() -> None:
    """Its lease has ended them: the last number that it told would be read as load."""
    watched = Watched()
    watched.start()
    watched.fleet.seconds = 2.0
    watched.report(users=4)
    assert [count.running for count in watched.next().workers[0].status.users] == [4]
    watched.fleet.seconds = 60.0
    watched.fleet.cluster.tick(watched.fleet.now_ns)
    snapshot = watched.next()
    (lost,) = snapshot.workers
    assert lost.state == report_pb2.WORKER_STATE_MISSING
    assert (list(lost.status.users), lost.requests_per_second, snapshot.run.users) == ([], 0.0, 0)
    assert {runner.users for runner in lost.status.runners} == {0}


def test_events_are_sent_once() -> None:
    """A list that grows is not sent again."""
    watched = Watched()
    watched.start()
    watched.run.events.add(snapshot_pb2.RUN_EVENT_KIND_MARK, "one", at_ms=1)
    assert [event.text for event in watched.next().events] == ["one"]
    watched.run.events.add(snapshot_pb2.RUN_EVENT_KIND_MARK, "two", at_ms=2)
    assert [event.text for event in watched.next().events] == ["two"]
    assert watched.next().events == []


def test_series_over_the_readers_limit_are_one_row() -> None:
    """The busiest come first, and no request is missing in the sum."""
    watched = Watched(max_series=2)
    watched.start()
    for number in range(5):
        watched.agent.record(1_000, name=f"/{number}", times=number + 1)
    watched.report()
    rows = watched.next().series
    assert {row.id: row.requests for row in rows} == {5: 5, 4: 4, 0: 6}


def test_summary_tells_users_wanted_and_running_by_class() -> None:
    """The header of a screen."""
    watched = Watched()
    watched.start()
    watched.fleet.seconds = 5
    watched.report(users=4)
    run = watched.next().run
    assert (run.state, run.target_users, run.planned_users, run.users) == (
        snapshot_pb2.RUN_STATE_SPAWNING,
        10,
        10,
        4,
    )
    assert [(each.user_class, each.running, each.planned) for each in run.classes] == [("A", 4, 10)]
    assert run.elapsed_ms == 5_000


@pytest.mark.parametrize(
    ("figures", "is_bound"),
    [
        ({"lag_us": 50_000}, True),
        ({"cpu_percent": 97.0}, True),
        ({"lag_us": 4_000, "cpu_percent": 80.0}, False),
    ],
)
def test_generator_that_is_the_bottleneck_is_named_when_it_lasts(
    figures: dict[str, Any], is_bound: bool
) -> None:
    """A moment of lag is no verdict; three seconds are."""
    watched = Watched()
    watched.start()
    for second in (1, 2, 3, 4):
        watched.fleet.seconds = second
        assert kinds(watched.next()) == set()
        watched.report(**figures)
    texts = [warning.text for warning in watched.next().warnings]
    assert any(text.startswith("runner 3 of w1") for text in texts) is is_bound


def test_lag_that_the_response_times_dwarf_is_no_bottleneck() -> None:
    """50 ms matter when requests take 10 ms, not when they take 10 s."""
    watched = Watched()
    watched.start()
    watched.agent.record(10_000_000)
    for second in (1, 2, 3, 4, 5):
        watched.fleet.seconds = second
        watched.report(lag_us=50_000)
    assert kinds(watched.next()) == set()


def test_warnings_name_losses_refusals_the_store_and_missing_protection() -> None:
    """Whoever looks must know what the numbers are worth."""
    watched = Watched()
    watched.start()
    watched.run.losses += [Loss("w9", 3_000, 250)] * 12
    watched.conductor.writer = SimpleNamespace(failed="disk full")
    watched.report(refusal="locustfile.py:3: no")
    snapshot = status_snapshot(watched.fleet.cluster, watched.conductor, now_ns=watched.fleet.now_ns)
    texts = [warning.text for warning in snapshot.warnings]
    assert texts[0] == "worker w9 lost, silent from 3 s on, up to 250 ms of its samples missing"
    assert "2 further losses, up to 500 ms of samples missing" in texts
    assert "the run store cannot be written: disk full" in texts
    assert "worker w1 refused its assignment: locustfile.py:3: no" in texts
    assert snapshot.warnings[-1].kind == snapshot_pb2.WARNING_KIND_INSECURE
    assert not snapshot.series


def test_rates_end_when_nobody_is_left() -> None:
    """The last rate of a fleet that is gone is no rate of now."""
    watched = Watched()
    watched.start()
    for second in range(1, 4):
        watched.fleet.seconds = second
        watched.agent.record(5_000, second=second - 1)
        watched.report()
    assert watched.next().total.current_rps > 0
    watched.fleet.seconds = 40.0
    watched.fleet.cluster.tick(watched.fleet.now_ns)
    assert watched.fleet.cluster.membership.live() == []
    assert watched.next().total.current_rps == 0.0


def test_a_silent_worker_does_not_hold_up_the_watermark() -> None:
    """Charts go on while a worker is suspected."""
    watched = Watched()
    other = watched.fleet.join(registration(2))
    watched.start()
    watched.fleet.seconds = 1.5
    silent = Agent(2)
    silent.record(1_000, second=0)
    for report in silent.reports():
        watched.fleet.tell(other, report)
    for second in range(1, 9):
        watched.fleet.seconds = second + 0.5
        watched.agent.record(1_000, second=second)
        watched.report()
    assert watched.next().run.complete_until_ms == 8_000


def test_script_host_is_told_everything_each_time() -> None:
    """`environment.stats` needs percentiles, definitions and the last seconds."""
    watched = Watched()
    watched.start()
    watched.fleet.seconds = 1.5
    watched.agent.record(5_000, second=0)
    watched.agent.record(5_000, second=1)
    watched.report()
    for _ in range(2):
        snapshot = host_snapshot(watched.fleet.cluster, watched.conductor, now_ns=watched.fleet.now_ns)
        assert snapshot.complete
        assert [row.definition.name for row in snapshot.series] == ["/"]
        assert [quantile.share for quantile in snapshot.series[0].quantiles][-1] == 1.0
        assert len(snapshot.history) == 1


@pytest.mark.parametrize("quantiles", [[1.5], [-0.1], [0.5] * 33])
def test_percentiles_that_are_none_are_refused(quantiles: list[float]) -> None:
    """The caller's mistake must not look like the master's."""
    with pytest.raises(UsageError):
        Watched(quantiles=quantiles)


async def test_snapshot_that_was_prepared_says_the_same() -> None:
    """It is prepared so that others have their turn between, and for nothing else."""
    watched = Watched()
    watched.start()
    watched.fleet.seconds = 3.0
    watched.agent.record(5_000, second=1)
    watched.report()
    await wait_prepared(watched.fleet.cluster)
    prepared = host_snapshot(watched.fleet.cluster, watched.conductor, now_ns=watched.fleet.now_ns)
    watched.fleet.cluster.worker_rows = WorkerRows()
    assert prepared == host_snapshot(watched.fleet.cluster, watched.conductor, now_ns=watched.fleet.now_ns)
    assert (prepared.total.requests, len(prepared.workers)) == (1, 1)


@pytest.mark.parametrize("turns", range(8))
async def test_snapshot_made_in_parts_is_of_one_epoch(turns: int) -> None:
    """Statistics may be reset between two parts of it: old figures must not stand under a new epoch."""
    watched = Watched()
    watched.start()
    watched.fleet.seconds = 3.0
    watched.agent.record(5_000, second=1)
    watched.report()
    watched.next()
    making = asyncio.create_task(watched.stream.wait_next())
    for _ in range(turns):
        await asyncio.sleep(0)
    was_made = making.done()
    watched.fleet.cluster.reset_statistics()
    snapshot = await making
    assert snapshot.complete is not was_made
    assert snapshot.run.stats_epoch == (1 if was_made else 2)
    assert snapshot.total.requests == 0 or was_made


@pytest.mark.parametrize("looks", [False, True])
@pytest.mark.parametrize("turns", range(12))
async def test_snapshot_made_in_parts_adds_up_whatever_comes_meanwhile(turns: int, looks: bool) -> None:
    """A report between two parts must not be in the total and not in its row; the next snapshot has it."""
    watched = Watched()
    watched.start()
    watched.fleet.seconds = 3.0
    for number in range(3 * PART_ROWS):
        watched.agent.record(5_000, name=f"/{number}", second=1)
    watched.report()
    watched.next()
    watched.agent.record(5_000, name="/0", second=1)
    watched.report()
    making = asyncio.create_task(watched.stream.wait_next())
    for _ in range(turns):
        await asyncio.sleep(0)
    watched.agent.record(7_000, name=f"/{3 * PART_ROWS - 1}", second=1)
    watched.report()
    if looks:
        assert watched.run.totals.total.sums.requests == 3 * PART_ROWS + 2
    snapshots = [await making, watched.next()]
    rows = {row.id: row.requests for snapshot in snapshots[:1] for row in snapshot.series}
    assert sum(rows.values()) == snapshots[0].total.requests
    rows |= {row.id: row.requests for row in snapshots[1].series}
    assert sum(rows.values()) == 3 * PART_ROWS + 2


def test_generator_is_strained_only_while_a_runner_is() -> None:
    """Nobody looks through 2,000 runners for what none of them has."""
    watched = Watched()
    watched.start()
    for second in range(5):
        watched.fleet.seconds = second
        watched.report(cpu_percent=99.0)
    assert watched.run.generator.is_strained
    assert snapshot_pb2.WARNING_KIND_GENERATOR_BOUND in kinds(watched.next())
    watched.report(cpu_percent=10.0)
    assert not watched.run.generator.is_strained
    assert snapshot_pb2.WARNING_KIND_GENERATOR_BOUND not in kinds(watched.next())
