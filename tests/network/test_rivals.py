"""Two who want the same: a session, a name, a port, the run. One gets it, and the other is told by whom."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from locust_protocol.process.exit_codes import ExitCode
from locust_protocol.v1 import control_service_pb2, snapshot_pb2
from tests.support.cluster import BIN, CALL_DEADLINE_S, Client, Cluster
from tests.support.processes import Command
from tests.support.target import Target
from tests.support.terminal import Terminal
from tests.support.wait import wait_until

pytestmark = pytest.mark.end_to_end

LOCUSTFILE = Path(__file__).parents[1] / "end_to_end" / "locustfiles" / "three_classes.py"
END_DEADLINE_S = 60.0
SCREEN_DEADLINE_S = 60.0
USERS = 12
EDITS = 100
KILLS = 5 if os.environ.get("SLOW_TESTS") == "1" else 2

WORKER_WITH = (
    "import sys; {change}; from locust_worker.cli import main; sys.argv[0] = 'locust-worker'; main()"
)
"""A worker with one thing about it changed before it starts."""

SAME_UID = "import locust_worker.app as app, os as _os, types; app.os = types.SimpleNamespace(**vars(_os)); "
SAME_UID += "app.os.urandom = lambda n: b'u' * n"

FROM_THE_FUTURE = "from locust_protocol import versions; versions.PROTOCOL_MIN = versions.PROTOCOL_MAX = 99"


def changed_worker(cluster: Cluster, change: str, *options: str) -> Command:
    code = WORKER_WITH.format(change=change)
    where = ("--master-host", "127.0.0.1", "--master-port", str(cluster.port), "--processes", "1")
    return Command(
        [sys.executable, "-c", code, *where, *options], environment=cluster.environment, cwd=cluster.folder
    )


def counts_by_path(snapshot: snapshot_pb2.Snapshot) -> dict[str, int]:
    """Requests by "METHOD /path", those that a stop cut off included: the target counted them."""
    return {
        f"{row.definition.request_type} {row.definition.name}": row.requests + row.interrupted
        for row in snapshot.series
    }


def test_newest_of_two_workers_with_one_uid_wins_and_nothing_counts_twice(tmp_path: Path) -> None:
    """A cloned machine must not double the load, nor fight over a session."""
    with (
        Target() as target,
        Cluster(tmp_path, LOCUSTFILE, workers=0, host=target.url) as cluster,
        changed_worker(cluster, SAME_UID) as first,
    ):
        cluster.client.wait_workers(1)
        cluster.client.start(users=USERS, spawn_rate=100)
        cluster.client.wait_users(USERS)
        with changed_worker(cluster, SAME_UID) as second:
            began_s = time.monotonic()
            assert first.wait_for_exit(deadline_s=END_DEADLINE_S) == ExitCode.DEGRADED
            told_s = time.monotonic() - began_s
            assert "another process took this worker's session over" in first.output()
            cluster.client.wait_users(USERS)
            assert len(cluster.client.status().workers) == 1
            cluster.client.stop()
            cluster.client.wait_state(snapshot_pb2.RUN_STATE_STOPPED)
            served, reported = target.counts(), counts_by_path(cluster.client.snapshot())
            assert all(reported[path] <= served[path] for path in served)
            assert second.exit_code is None
            print(f"told {told_s:.1f} s after the second start; {served} served, {reported} reported")


def test_workers_with_one_name_get_two(tmp_path: Path) -> None:
    """Both are welcome; people can tell them apart."""
    with Cluster(tmp_path, LOCUSTFILE, workers=0) as cluster:
        cluster.add_worker("--name", "twin")
        cluster.add_worker("--name", "twin")
        names = sorted(worker.name for worker in cluster.client.wait_workers(2).workers)
        assert names == ["twin", "twin#2"]


def test_worker_of_another_protocol_is_refused_with_both_versions(tmp_path: Path) -> None:
    """Who upgrades one side reads what to do about the other."""
    with (
        Cluster(tmp_path, LOCUSTFILE, workers=0) as cluster,
        changed_worker(cluster, FROM_THE_FUTURE, "--name", "new") as worker,
    ):
        assert worker.wait_for_exit(deadline_s=END_DEADLINE_S) == ExitCode.USAGE
        assert "master speaks 1, worker new speaks 99" in worker.output()
        assert "upgrade locust-grpc on the side of master" in worker.output()


def test_second_master_on_a_port_names_the_first(tmp_path: Path) -> None:
    """Two masters on one port would share its workers between them."""
    with Cluster(tmp_path, LOCUSTFILE, workers=0) as cluster:
        options = (
            "--bind-host",
            "127.0.0.1",
            "--bind-port",
            str(cluster.port),
            "--run-dir",
            tmp_path / "other",
        )
        with Command([BIN / "locust-master", "-f", LOCUSTFILE, *options], cwd=tmp_path) as second:
            assert second.wait_for_exit(deadline_s=END_DEADLINE_S) == ExitCode.USAGE
            assert f"127.0.0.1:{cluster.port}" in second.output()
            if os.geteuid() == 0:
                assert f"pid {cluster.master.pid}" in second.output()


def test_two_controllers_edit_at_once_and_each_success_is_a_generation(tmp_path: Path) -> None:
    """No wish is lost without its author being told who was faster."""
    with Target() as target, Cluster(tmp_path, LOCUSTFILE, host=target.url) as cluster:
        cluster.client.start(users=USERS, spawn_rate=100)
        before = cluster.client.wait_users(USERS).generation
        clients = [Client(cluster.port) for _ in range(2)]
        try:
            with ThreadPoolExecutor(len(clients)) as threads:
                made = list(threads.map(edit_again_and_again, clients, ("ann", "ben")))
        finally:
            for client in clients:
                client.close()
        successes = [generation for generations, _ in made for generation in generations]
        refusals = [refusal for _, refused in made for refusal in refused]
        assert len(successes) + len(refusals) == 2 * EDITS
        assert sorted(successes) == list(range(before + 1, before + 1 + len(successes)))
        assert cluster.client.status().generation == before + len(successes)
        assert all(re.search("changed meanwhile by (ann|ben)", text) for text in refusals), refusals
        print(f"{len(successes)} edits, {len(refusals)} refused")


def edit_again_and_again(client: Client, actor: str) -> tuple[list[int], list[str]]:
    """Edits on the newest state seen; returns the generations made, and why the others were not."""
    made: list[int] = []
    refused: list[str] = []
    for number in range(EDITS):
        request = control_service_pb2.EditRunRequest(
            precondition=control_service_pb2.Precondition(
                request_id=f"{actor}-{number}", actor=actor, expected_generation=client.status().generation
            ),
            users=USERS + number % 2,
        )
        try:
            made.append(client.stub.EditRun(request, timeout=CALL_DEADLINE_S).result.generation)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.ABORTED:  # type: ignore[attr-defined]
                raise
            refused.append(error.details())  # type: ignore[attr-defined]
    return made, refused


def test_run_goes_on_whatever_is_done_to_its_screens(tmp_path: Path) -> None:
    """Screens are views: whoever opens the next one finds the run as it is."""
    with Target() as target, Cluster(tmp_path, LOCUSTFILE, host=target.url) as cluster:
        cluster.client.start(users=USERS, spawn_rate=100)
        cluster.client.wait_users(USERS)
        argv = [str(BIN / "locust-tui"), "--master-host", "127.0.0.1", "--master-port", str(cluster.port)]
        for _ in range(KILLS):
            kill_once_it_shows(argv)
        status = cluster.client.status()
        assert (status.run.users, status.run.state) == (USERS, snapshot_pb2.RUN_STATE_RUNNING)
        cluster.client.stop()
        cluster.client.wait_state(snapshot_pb2.RUN_STATE_STOPPED)
        assert counts_by_path(cluster.client.snapshot()) == target.counts()


def kill_once_it_shows(argv: Sequence[str]) -> None:
    with Terminal(argv) as terminal:
        wait_until(
            lambda: "Aggregated" in terminal.text(), deadline_s=SCREEN_DEADLINE_S, describe=terminal.text
        )
        os.kill(terminal.pid, signal.SIGKILL)
        wait_until(lambda: terminal.exit_code is not None, deadline_s=SCREEN_DEADLINE_S, describe="its end")
