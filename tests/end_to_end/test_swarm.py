"""The whole system on real processes: a locustfile swarms a real server, and the numbers are the server's."""

from __future__ import annotations

from pathlib import Path

import pytest

from locust_protocol.v1 import snapshot_pb2
from tests.support.cluster import Cluster
from tests.support.processes import assert_no_processes
from tests.support.target import Target
from tests.support.wait import wait_until

pytestmark = pytest.mark.end_to_end

LOCUSTFILES = Path(__file__).parent / "locustfiles"
END_DEADLINE_S = 60.0


def users_by_class(snapshot: snapshot_pb2.Snapshot) -> dict[str, int]:
    return {users.user_class: users.running for users in snapshot.run.classes}


def counts_by_path(snapshot: snapshot_pb2.Snapshot) -> dict[str, int]:
    """Requests by "METHOD /path", those that a stop cut off included: the target counted them."""
    return {
        f"{row.definition.request_type} {row.definition.name}": row.requests + row.interrupted
        for row in snapshot.series
    }


def test_swarm_has_exact_mix_and_totals_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """The promise of the whole program, in one run on 2 workers with 2 runners each."""
    locustfile = LOCUSTFILES / "three_classes.py"
    with (
        Target() as target,
        Cluster(tmp_path, locustfile, workers=2, runners=2, host=target.url) as cluster,
    ):
        cluster.client.start(users=60, spawn_rate=60)
        running = cluster.client.wait_users(60)
        assert users_by_class(running) == {"Reader": 30, "Buyer": 20, "Admin": 10}
        assert sorted(sum(c.running for c in w.status.users) for w in running.workers) == [30, 30]

        cluster.client.edit(users=90, spawn_rate=100)
        assert users_by_class(cluster.client.wait_users(90)) == {"Reader": 45, "Buyer": 30, "Admin": 15}

        wait_until(lambda: target.total() > 500, deadline_s=END_DEADLINE_S, describe="500 requests")
        cluster.client.stop()
        cluster.client.wait_state(snapshot_pb2.RUN_STATE_STOPPED)
        served = target.counts()
        reported = counts_by_path(cluster.client.snapshot())
        assert reported == served

        started = cluster.tree()
        cluster.client.shut_down()
        assert cluster.master.wait_for_exit(deadline_s=END_DEADLINE_S) == 0
        for worker in cluster.workers:
            assert worker.wait_for_exit(deadline_s=END_DEADLINE_S) == 0
        assert_no_processes(started)
