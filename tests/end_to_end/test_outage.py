"""While its master is away a ramp goes on: workers have the whole plan, each user's due time included."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from locust_protocol.v1 import snapshot_pb2
from tests.chaos.truth import Truth, TruthTarget
from tests.support.cluster import START_DEADLINE_S, Cluster
from tests.support.processes import Command
from tests.support.wait import wait_until

pytestmark = pytest.mark.end_to_end

LOCUSTFILE = Path(__file__).parents[1] / "chaos" / "locustfiles" / "named_users.py"
USERS = 40
SPAWN_RATE = 4.0
RAMP_DEADLINE_S = 60.0

BEFORE_OUTAGE, IN_OUTAGE = 8, 10
"""Users that start before the master is killed, and at least so many while it is dead."""

LEASE = ("--lease-ttl", "40s")
"""This is about the plan, which holds for as long as the lease; a crowded machine needs half of the default
for a master's start alone."""


def wait_started(target: TruthTarget, users: int) -> Truth:
    """Waits until so many different users have been seen."""

    def found() -> Truth | None:
        truth = target.truth()
        return truth if len(truth.users()) >= users else None

    return wait_until(
        found,
        deadline_s=RAMP_DEADLINE_S,
        describe=lambda: f"{users} users, not {len(target.truth().users())}",
    )


def test_ramp_goes_on_without_its_master_and_ends_at_the_right_number(tmp_path: Path) -> None:
    """Nobody waits for the master, nobody hurries when it is back, and nobody is started twice."""
    with (
        TruthTarget() as target,
        Cluster(tmp_path, LOCUSTFILE, workers=2, host=target.url, master_options=LEASE) as cluster,
    ):
        called_s = time.monotonic()
        cluster.client.start(users=USERS, spawn_rate=SPAWN_RATE)
        wait_started(target, BEFORE_OUTAGE)
        cluster.master.send_signal(signal.SIGKILL)
        cluster.master.wait_for_exit(deadline_s=RAMP_DEADLINE_S)
        before = len(target.truth().users())
        started = len(wait_started(target, before + IN_OUTAGE).users())
        due = (time.monotonic() - called_s) * SPAWN_RATE + 1
        with Command(cluster.master.argv, environment=cluster.environment, cwd=tmp_path) as again:
            again.wait_for_line(r"master listens on", deadline_s=START_DEADLINE_S)
            cluster.client.wait_workers(2)
            resumed = cluster.client.wait_users(USERS)
            wait_started(target, USERS)
            cluster.client.stop()
            cluster.client.wait_state(snapshot_pb2.RUN_STATE_STOPPED)
            truth = target.truth()
        assert started <= due, "somebody started before it was due"
        assert (resumed.run.users, len(truth.users())) == (USERS, USERS)
        most_at_once = max(users for _, users in truth.users_over_time())
        assert most_at_once == USERS
