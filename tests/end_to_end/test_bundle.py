"""Workers need no locustfile of their own: the master's goes to them, with what it needs beside it."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from locust_protocol.v1 import snapshot_pb2
from tests.support.cluster import BIN, Cluster
from tests.support.processes import Command, children_of
from tests.support.target import Target
from tests.support.wait import wait_until

pytestmark = pytest.mark.end_to_end

LOCUSTFILE = """
import random
from locust import HttpUser, constant, task
from shop.paths import PATH

NAMES = open("users.csv").read().split()
assert NAMES == ["ann", "bob"]

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def visit(self):
        self.client.get(PATH)
"""

DEADLINE_S = 60.0


def write_project(folder: Path, path: str) -> Path:
    (folder / "shop").mkdir(parents=True, exist_ok=True)
    (folder / "shop" / "__init__.py").write_text("")
    (folder / "shop" / "paths.py").write_text(f"PATH = {path!r}\n")
    (folder / "users.csv").write_text("ann bob\n")
    locustfile = folder / "locustfile.py"
    locustfile.write_text(LOCUSTFILE)
    return locustfile


def wait_requests(target: Target, requests: int) -> None:
    wait_until(lambda: target.total() >= requests, deadline_s=DEADLINE_S, describe="requests")


def test_worker_gets_modules_and_data_and_an_edited_version_by_the_next_start(tmp_path: Path) -> None:
    """Edit, start again: same agents, new runners, new code."""
    locustfile = write_project(tmp_path / "project", "/products")
    with Target() as target, Cluster(tmp_path, locustfile, host=target.url) as cluster:
        cluster.client.start(users=2, spawn_rate=10)
        cluster.client.wait_users(2)
        wait_requests(target, 2)
        agent = cluster.workers[0].pid
        old_runners = children_of(agent)
        cluster.client.stop()
        cluster.client.wait_state(snapshot_pb2.RUN_STATE_STOPPED)

        write_project(tmp_path / "project", "/health")
        before = target.total()
        cluster.client.start(users=2, spawn_rate=10)
        cluster.client.wait_users(2)
        wait_requests(target, before + 2)
        cluster.client.stop()
        cluster.client.wait_state(snapshot_pb2.RUN_STATE_STOPPED)

        assert cluster.workers[0].exit_code is None
        assert set(children_of(agent)).isdisjoint(old_runners)
        assert {row.definition.name for row in cluster.client.snapshot().series} == {"/health"}
        assert target.counts().keys() == {"GET /products", "GET /health"}


def test_start_is_refused_with_place_and_reason_when_the_edited_file_is_broken(tmp_path: Path) -> None:
    """The old version must not run under the new one's name."""
    locustfile = write_project(tmp_path / "project", "/products")
    with Target() as target, Cluster(tmp_path, locustfile, host=target.url) as cluster:
        locustfile.write_text(LOCUSTFILE + "\nraise RuntimeError('half edited')\n")
        with pytest.raises(grpc.RpcError) as refused:
            cluster.client.start(users=1, spawn_rate=1)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert "locustfile.py:16" in refused.value.details()
        assert "half edited" in refused.value.details()
        locustfile.write_text(LOCUSTFILE)
        cluster.client.start(users=1, spawn_rate=1)
        cluster.client.wait_users(1)


def test_worker_with_a_locustfile_of_other_classes_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """Half of a cluster that runs something else would go unnoticed."""
    locustfile = write_project(tmp_path / "project", "/products")
    other = tmp_path / "other.py"
    other.write_text(
        "from locust import User, task\nclass Stranger(User):\n    @task\n    def t(self): ...\n"
    )
    with Cluster(tmp_path, locustfile) as cluster:
        argv = [str(BIN / "locust-worker"), "--master-port", str(cluster.port), "-f", str(other)]
        with Command([*argv, "--processes", "1"], environment=cluster.environment) as worker:
            assert worker.wait_for_exit(deadline_s=DEADLINE_S) == 2
            assert "Stranger" in worker.stderr()
            assert "Visitor" in worker.stderr()
            assert "Traceback" not in worker.stderr()


def test_worker_with_its_own_copy_runs_it(tmp_path: Path) -> None:
    """Same classes: the copy on the worker's disk is used."""
    locustfile = write_project(tmp_path / "project", "/products")
    own = write_project(tmp_path / "own", "/health")
    with Target() as target, Cluster(tmp_path, locustfile, workers=0, host=target.url) as cluster:
        cluster.add_worker("-f", str(own))
        cluster.client.wait_workers(1)
        cluster.client.start(users=2, spawn_rate=10)
        cluster.client.wait_users(2)
        wait_requests(target, 2)
        cluster.client.stop()
        cluster.client.wait_state(snapshot_pb2.RUN_STATE_STOPPED)
        assert target.counts().keys() == {"GET /health"}
