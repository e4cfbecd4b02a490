"""A master that was killed takes its run up where it was: exactly, at once, and only when it should."""

from __future__ import annotations

import json
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import pytest

from locust_master.store.reader import load_totals
from locust_master.store.run_dir import run_files
from locust_protocol.limits import LEASE_TTL_S, REPORT_INTERVAL_S
from locust_protocol.v1 import control_service_pb2, snapshot_pb2
from tests.support.cluster import START_DEADLINE_S, Client, Cluster
from tests.support.processes import Command
from tests.support.target import Target
from tests.support.wait import wait_until

pytestmark = pytest.mark.end_to_end

LOCUSTFILE = Path(__file__).parent / "locustfiles" / "three_classes.py"
END_DEADLINE_S = 60.0
BACK_DEADLINE_S = 3.0
"""Seconds from the port being back until all workers are registered: the promise, which a machine that stands
still for a moment may break once of three times."""

SURE_LEASE_S = LEASE_TTL_S - 2 * REPORT_INTERVAL_S
"""Seconds that a master may be away while users run on, for sure. From its end until the next one has its
workers takes 2 s as a rule, 5 s with two processes a core and 8 s with five: a machine may be too busy for
users to run on, but never for the rest."""


class Lives:
    """A cluster whose master dies and comes back.

    `waits_s` is how long its workers took each time, `away_s` how long they were without a master.
    """

    def __init__(self, cluster: Cluster, stack: ExitStack) -> None:
        self._killed_s = 0.0
        self.cluster = cluster
        self.client = cluster.client
        self.waits_s: list[float] = []
        self.away_s: list[float] = []
        self._stack = stack
        self._first = self.master = cluster.master

    def kill(self) -> None:
        """Ends the master as a power cut would."""
        self._killed_s = time.monotonic()
        self.master.send_signal(signal.SIGKILL)
        self.master.wait_for_exit(deadline_s=END_DEADLINE_S)

    def begin_again(self, *options: str) -> Command:
        """Starts the same command once more, with `options` behind it, and waits for its port."""
        argv = [*self._first.argv, *options]
        again = Command(argv, environment=self.cluster.environment, cwd=self.cluster.folder)
        self.master = self._stack.enter_context(again)
        again.wait_for_line(r"master listens on", deadline_s=START_DEADLINE_S)
        return again

    def wait_workers_back(self, workers: int) -> None:
        """Waits until the workers are registered, and notes how long that took."""
        started_s = time.monotonic()
        self.client.wait_workers(workers)
        self.waits_s.append(time.monotonic() - started_s)
        self.away_s.append(time.monotonic() - self._killed_s)


@contextmanager
def killable(target: Target, folder: Path, *options: str, workers: int = 2) -> Iterator[Lives]:
    """A cluster with 20 users, all of them running; without `workers`, it has one that gives up soon."""
    with ExitStack() as stack:
        cluster = stack.enter_context(
            Cluster(
                folder,
                LOCUSTFILE,
                workers=workers,
                runners=workers or 1,
                host=target.url,
                master_options=options,
            )
        )
        if not workers:
            cluster.add_worker("--reconnect-timeout", "5s")
            cluster.client.wait_workers(1)
        cluster.client.start(users=20, spawn_rate=40)
        cluster.client.wait_users(20)
        yield Lives(cluster, stack)


def wait_load(target: Target, *, seconds: int) -> None:
    """Waits for so many further seconds of load."""
    begin = len(target.arrivals())
    wait_until(lambda: len(target.arrivals()) >= begin + seconds, deadline_s=END_DEADLINE_S, describe="load")


def reported(snapshot: snapshot_pb2.Snapshot) -> dict[str, int]:
    return {
        f"{row.definition.request_type} {row.definition.name}": row.requests + row.interrupted
        for row in snapshot.series
    }


def outcomes(client: Client) -> list[int]:
    request = control_service_pb2.ListRunsRequest()
    return [each.outcome for each in client.stub.ListRuns(request, timeout=END_DEADLINE_S).runs]


def wait_quiet(target: Target) -> None:
    """Waits until a whole second passes without a request."""
    seen: list[tuple[float, int]] = []

    def is_quiet() -> bool:
        now_s, total = time.monotonic(), target.total()
        if not seen or seen[-1][1] != total:
            seen.append((now_s, total))
        return now_s - seen[-1][0] >= 1.0

    wait_until(is_quiet, deadline_s=END_DEADLINE_S, describe="no more requests at the target")


def assert_second_master_is_refused(lives: Lives, folder: Path) -> None:
    """Two masters on one run directory would take the same run up."""
    argv = [*lives.master.argv, "--bind-port", "0"]
    with Command(argv, environment=lives.cluster.environment, cwd=folder) as second:
        assert second.wait_for_exit(deadline_s=START_DEADLINE_S) == 2
        assert f"in use by the master with process id {lives.master.pid}" in second.stderr()


def test_run_goes_on_exactly_when_its_master_is_killed_three_times(tmp_path: Path) -> None:
    """No sample is lost or counted twice, no user stops, and the workers are back within 3 s."""
    with Target() as target, killable(target, tmp_path) as lives:
        run_id = lives.client.status().run.run_id
        assert_second_master_is_refused(lives, tmp_path)
        for _ in range(3):
            wait_load(target, seconds=2)
            lives.kill()
            lives.begin_again()
            lives.wait_workers_back(2)
            assert lives.client.wait_users(20).run.run_id == run_id
        wait_load(target, seconds=2)
        arrivals = target.arrivals()[1:-1]
        lives.client.stop()
        lives.client.wait_state(snapshot_pb2.RUN_STATE_STOPPED)
        snapshot = lives.client.snapshot()
        print(f"workers back after {lives.waits_s} s, alone for {lives.away_s} s; arrivals {arrivals}")
        assert reported(snapshot) == target.counts()
        assert sum(point.requests for point in snapshot.history) == snapshot.total.requests
        back_ms = next(e.at_ms for e in snapshot.events if e.kind == snapshot_pb2.RUN_EVENT_KIND_RESUMED)
        assert any(point.users == 20 for point in snapshot.history if point.start_ms < back_ms)
        kinds = [event.kind for event in snapshot.events]
        if max(lives.away_s) < SURE_LEASE_S:
            assert min(arrivals) > 0, arrivals
            assert snapshot_pb2.RUN_EVENT_KIND_FENCED not in kinds
        assert kinds.count(snapshot_pb2.RUN_EVENT_KIND_RESUMED) == 3
        assert kinds.count(snapshot_pb2.RUN_EVENT_KIND_STARTED) == 1
        completed = [control_service_pb2.RUN_OUTCOME_COMPLETED]
        wait_until(
            lambda: outcomes(lives.client) == completed, deadline_s=END_DEADLINE_S, describe="COMPLETED"
        )
        assert median(lives.waits_s) <= BACK_DEADLINE_S, lives.waits_s


@pytest.mark.parametrize(
    ("options", "again", "reason"),
    [
        (("-t", "8s"), (), r"its run time was over \d+ s ago"),
        ((), ("-u", "30"), "the command line says something else about users"),
    ],
)
def test_store_that_may_not_go_on_starts_nobody(
    tmp_path: Path, options: tuple[str, ...], again: tuple[str, ...], reason: str
) -> None:
    """A forgotten store never fires at anybody: the run is closed, and the users that still run end."""
    with Target() as target, killable(target, tmp_path, *options, workers=1) as lives:
        lives.kill()
        if options:
            wait_quiet(target)
        begun = lives.begin_again(*again)
        begun.wait_for_line(f"closed as INTERRUPTED .*{reason}", deadline_s=END_DEADLINE_S)
        lives.wait_workers_back(1)
        wait_quiet(target)
        assert lives.client.status().run.state == snapshot_pb2.RUN_STATE_READY
        assert outcomes(lives.client) == [control_service_pb2.RUN_OUTCOME_INTERRUPTED]


def test_run_that_was_stopping_ends_and_starts_nobody(tmp_path: Path) -> None:
    """A stop is never taken back, and the last samples are counted all the same."""
    with Target() as target, killable(target, tmp_path, workers=1) as lives:
        lives.client.stop()
        lives.kill()
        lives.begin_again()
        lives.client.wait_state(snapshot_pb2.RUN_STATE_STOPPED)
        assert reported(lives.client.snapshot()) == target.counts()
        wait_quiet(target)


def test_worker_whose_master_is_gone_for_ever_ends_and_leaves_its_statistics(tmp_path: Path) -> None:
    """Nobody is fired at without a master, and what it did not get is not lost."""
    with Target() as target, killable(target, tmp_path, "--lease-ttl", "3s", workers=0) as lives:
        worker = lives.cluster.workers[0]
        wait_load(target, seconds=3)
        lives.kill()
        assert worker.wait_for_exit(deadline_s=END_DEADLINE_S) == 3
        assert re.search(r"no master acknowledged are in .*json", worker.output())
        (path,) = tmp_path.glob("locust-worker-*.json")
        left = json.loads(path.read_text())
        counts: Counter[str] = Counter()
        for row in left["series"]:
            counts[f"{row['request_type']} {row['name']}"] += row["requests"] + row["interrupted"]
        assert 0 < counts.total() < target.total()
        (store,) = run_files(tmp_path / "runs")
        for known in load_totals(store).series:
            counts[f"{known.key.request_type} {known.key.name}"] += known.sums.requests
        # What was stored and not acknowledged any more is in both.
        assert all(counts[name] >= count for name, count in target.counts().items())
        wait_quiet(target)
