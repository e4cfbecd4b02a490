"""Every way to end: the results are whole, the exit code is right, and no process is left."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from locust_protocol.v1 import snapshot_pb2
from tests.support.cluster import BIN, Cluster
from tests.support.ports import free_port
from tests.support.processes import Command, assert_no_processes, children_of
from tests.support.target import Target
from tests.support.wait import wait_until

pytestmark = pytest.mark.end_to_end

LOCUSTFILE = Path(__file__).parent / "locustfiles" / "three_classes.py"
END_DEADLINE_S = 60.0


def headless(target: Target, folder: Path, *options: str) -> Command:
    return Command(
        [
            *(str(BIN / "locust-master"), "-f", str(LOCUSTFILE), "--headless", "-H", target.url),
            *("--bind-host", "127.0.0.1", "--bind-port", str(free_port()), "--run-dir", str(folder / "runs")),
            *("-u", "12", "-r", "100", "--processes", "2", *options),
        ],
        cwd=folder,
        environment={"LOCUST_CACHE_DIR": str(folder / "cache")},
    )


def reported_requests(stdout: str) -> dict[str, int]:
    return {f"{entry['method']} {entry['name']}": entry["num_requests"] for entry in json.loads(stdout)}


def test_headless_run_prints_whole_statistics_and_exits_0(tmp_path: Path) -> None:
    """One command for one machine; stdout is one JSON document, tables are on stderr."""
    with Target() as target, headless(target, tmp_path, "-t", "4s", "--json") as master:
        assert master.wait_for_exit(deadline_s=END_DEADLINE_S) == 0, master.output()
        assert reported_requests(master.stdout()) == target.counts()
        for text in ("Aggregated", "99.99%", "/products"):
            assert text in master.stderr()
        assert_no_processes(master.processes())


@pytest.fixture
def heeded_hangup() -> Iterator[None]:
    """What is started meanwhile does not ignore the end of a terminal, though these tests may."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("heeded_hangup")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_interrupt_ends_users_and_prints_the_summary(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C is a run that ended as asked: nothing is lost. A terminal that is closed asks for the same."""
    with Target() as target, headless(target, tmp_path, "--json") as master:
        wait_until(lambda: target.total() > 200, deadline_s=END_DEADLINE_S, describe="traffic")
        started = master.processes()
        assert len(started) == 5
        master.send_signal(number)
        assert master.wait_for_exit(deadline_s=END_DEADLINE_S) == 0, master.output()
        assert reported_requests(master.stdout()) == target.counts()
        assert_no_processes(started)


def test_second_interrupt_is_immediate_and_leaves_no_orphan(tmp_path: Path) -> None:
    """Somebody who presses twice means it; tasks that would take a minute are not waited for."""
    with Target() as target, headless(target, tmp_path, "--stop-timeout", "60") as master:
        wait_until(lambda: target.total() > 200, deadline_s=END_DEADLINE_S, describe="traffic")
        started = master.processes()
        master.send_signal(signal.SIGINT)
        master.send_signal(signal.SIGINT)
        code = master.wait_for_exit(deadline_s=END_DEADLINE_S)
        assert code in (0, 130)
        assert_no_processes(started)


def test_killed_master_takes_embedded_worker_and_runners_along(tmp_path: Path) -> None:
    """An orphan would go on firing at somebody's system."""
    with Target() as target, headless(target, tmp_path) as master:
        wait_until(lambda: target.total() > 200, deadline_s=END_DEADLINE_S, describe="traffic")
        started = master.processes()
        master.send_signal(signal.SIGKILL)
        assert_no_processes(started)


def test_killed_agent_takes_its_runners_along(tmp_path: Path) -> None:
    """Runners without an agent count nothing and obey nobody: they end long before their lease does."""
    with Target() as target, Cluster(tmp_path, LOCUSTFILE, runners=2, host=target.url) as cluster:
        cluster.client.start(users=6, spawn_rate=60)
        cluster.client.wait_users(6)
        runners = children_of(cluster.workers[0].pid)
        assert len(runners) == 2
        cluster.workers[0].send_signal(signal.SIGKILL)
        assert_no_processes(runners)


def test_interrupted_worker_says_goodbye_and_its_statistics_are_complete(tmp_path: Path) -> None:
    """Taking a machine out of a run is no loss."""
    with Target() as target, Cluster(tmp_path, LOCUSTFILE, workers=2, host=target.url) as cluster:
        cluster.client.start(users=12, spawn_rate=100)
        cluster.client.wait_users(12)
        cluster.workers[0].send_signal(signal.SIGINT)
        assert cluster.workers[0].wait_for_exit(deadline_s=END_DEADLINE_S) == 0
        cluster.client.wait_users(12)
        cluster.client.stop()
        cluster.client.wait_state(snapshot_pb2.RUN_STATE_STOPPED)
        rows = cluster.client.snapshot().series
        reported = {
            f"{r.definition.request_type} {r.definition.name}": r.requests + r.interrupted for r in rows
        }
        assert reported == target.counts()
        cluster.client.shut_down()
        assert cluster.master.wait_for_exit(deadline_s=END_DEADLINE_S) == 0, cluster.master.output()


def test_worker_that_stays_waits_for_the_next_master(tmp_path: Path) -> None:
    """A fleet that is started once serves many masters."""
    with Target() as target, Cluster(tmp_path, LOCUSTFILE, workers=0, host=target.url) as cluster:
        staying = cluster.add_worker("--stay")
        leaving = cluster.add_worker()
        cluster.client.wait_workers(2)
        cluster.client.shut_down()
        assert cluster.master.wait_for_exit(deadline_s=END_DEADLINE_S) == 0
        assert leaving.wait_for_exit(deadline_s=END_DEADLINE_S) == 0
        assert staying.exit_code is None
        assert staying.stop(deadline_s=END_DEADLINE_S) == 0
