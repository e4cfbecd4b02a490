"""A worker that is killed, and the two wishes about its users that the fault bench does not have."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from locust_protocol.v1 import snapshot_pb2
from tests.chaos.truth import Truth, TruthTarget
from tests.support.cluster import Cluster
from tests.support.processes import assert_no_processes, children_of
from tests.support.wait import wait_until

pytestmark = pytest.mark.end_to_end

LOCUSTFILE = Path(__file__).parents[1] / "chaos" / "locustfiles" / "named_users.py"
USERS = 12

LEASE = ("--lease-ttl", "6s")
"""Short, so that the loss is known soon; long enough that the other worker keeps it on a busy machine."""

LOST_DEADLINE_S = 60.0
SEEN_DEADLINE_S = 60.0
SHARE_WATCHED_S = 1.5
"""Seconds of load after the loss; the spawn rate would have all of the lost users back in a tenth of that."""


def wait_all_users(cluster: Cluster, target: TruthTarget) -> None:
    """Waits until all users run, and each has made a request."""
    cluster.client.wait_users(USERS)
    wait_until(
        lambda: len(target.truth().users()) == USERS,
        deadline_s=SEEN_DEADLINE_S,
        describe=lambda: f"a request of each user, not of {target.truth().users()}",
    )


def wait_load(target: TruthTarget, known: int, *, users: int) -> Truth:
    """Waits for a while of load, and until so many users have had a part in it."""

    def found() -> Truth | None:
        truth = target.truth()
        new = {arrival.user for arrival in truth.arrivals[known:]}
        return truth if truth.seconds_since(known) >= SHARE_WATCHED_S and len(new) >= users else None

    return wait_until(found, deadline_s=SEEN_DEADLINE_S, describe="load")


def kill_first_worker(cluster: Cluster) -> set[str]:
    """Kills a worker as the kernel does when memory is short; returns the names of its runners."""
    worker = cluster.workers[0]
    runners = children_of(worker.pid)
    worker.send_signal(signal.SIGKILL)
    assert_no_processes([worker.pid, *runners])
    return {str(pid) for pid in runners}


def test_users_of_a_killed_worker_are_run_by_nobody_else_when_they_are_kept_for_it(tmp_path: Path) -> None:
    """Whoever wants each machine to run its own share, and no more, gets just that, and is told the gap."""
    options = (*LEASE, "--on-worker-loss", "keep")
    with (
        TruthTarget() as target,
        Cluster(tmp_path, LOCUSTFILE, workers=2, host=target.url, master_options=options) as cluster,
    ):
        cluster.client.start(users=USERS, spawn_rate=100)
        wait_all_users(cluster, target)
        killed = kill_first_worker(cluster)
        lost = cluster.master.wait_for_line(r"worker lost worker=(\S+)", deadline_s=LOST_DEADLINE_S)[1]
        known = len(target.truth().arrivals)
        truth = wait_load(target, known, users=USERS // 2)
        assert len(truth.users()) == USERS, "users were started that had no share before"
        left = {arrival.user for arrival in truth.arrivals[known:]}
        assert len(left) == USERS // 2, left
        assert not {user for user in left if user.rpartition("-")[0] in killed}
        status = cluster.client.status()
        assert (status.run.users, status.run.target_users) == (USERS // 2, USERS)
        cluster.client.stop()
        cluster.client.wait_state(snapshot_pb2.RUN_STATE_STOPPED)
        cluster.client.shut_down()
        assert cluster.master.wait_for_exit(deadline_s=LOST_DEADLINE_S) == 3
        said = cluster.master.find_line(
            rf"worker {lost} lost, silent from .*its users were not run by others"
        )
        assert said is not None


def test_run_ends_when_a_worker_is_killed_and_that_is_called_a_failure(tmp_path: Path) -> None:
    """A figure for two machines is no figure when one is gone: pipelines want the end, not half of it."""
    options = (*LEASE, "--on-worker-loss", "fail", "--headless", "--expect-workers", "2")
    options += ("-u", str(USERS), "-r", "100")
    with (
        TruthTarget() as target,
        Cluster(tmp_path, LOCUSTFILE, workers=2, host=target.url, master_options=options) as cluster,
    ):
        wait_all_users(cluster, target)
        kill_first_worker(cluster)
        assert cluster.master.wait_for_exit(deadline_s=LOST_DEADLINE_S) == 3
        lost = cluster.master.find_line(r"worker lost worker=(\S+)")
        assert lost is not None
        assert cluster.master.find_line(r"run stopping actor=--on-worker-loss fail")
        assert cluster.master.find_line(rf"worker {lost[1]} lost, silent from \d+ s on")
        assert cluster.workers[1].wait_for_exit(deadline_s=LOST_DEADLINE_S) == 0
        assert len(target.truth().users()) == USERS
