"""A worker whose clocks are hours off changes nothing: neither rates nor seconds nor when users start.

Its monotonic clock is an hour ahead in a time namespace, its wall clock by what Python loads first.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import pytest

from locust_protocol.v1 import snapshot_pb2
from tests.network.conditions import needs_network
from tests.network.hosts import HostCluster
from tests.support.wait import wait_until

HOUR_S = 3_600
SHIFT = ("unshare", "--time", "--monotonic", str(HOUR_S), "--boottime", str(HOUR_S))
"""Runs a command in a time namespace of its own, in place of itself."""

WRONG_WALL_CLOCK = {"PYTHONPATH": str(Path(__file__).parent / "wrong_clock")}

USERS = 20
SPAWN_RATE = 5
LATE_S = 0.25
"""Seconds between a due time and the first request at the target, for most users of a worker: a machine that
stands still for a moment makes those late that are due then."""

OTHER_SECONDS = 2
"""Seconds of a run in which such a machine may have asked for less than it should."""

COMPLETE_MS = 6_000
"""The ramp of 4 s, and two seconds at rest."""

DEADLINE_S = 60.0


def why_no_time_namespace() -> str:
    """Returns why clocks cannot be shifted here; empty when they can."""
    if shutil.which("unshare") is None:
        return "shifting a monotonic clock needs the unshare command"
    probe = (*SHIFT, sys.executable, "-c", "import time; print(time.monotonic())")
    shown = subprocess.run(probe, capture_output=True, text=True, timeout=60)
    if shown.returncode or float(shown.stdout) < time.monotonic() + HOUR_S / 2:
        return f"no time namespaces here: {shown.stderr.strip() or 'the clock is not shifted'}"
    return ""


pytestmark = [pytest.mark.end_to_end, needs_network]


def test_worker_an_hour_off_changes_neither_rates_nor_seconds_nor_due_times(tmp_path: Path) -> None:
    """Time is monotonic inside a process and offset-corrected between them."""
    if reason := why_no_time_namespace():
        pytest.skip(reason)
    with HostCluster(tmp_path, workers=1) as cluster:
        cluster.add_worker(wrapper=SHIFT, environment=WRONG_WALL_CLOCK)
        cluster.client.wait_workers(2)
        cluster.client.start(users=USERS, spawn_rate=SPAWN_RATE)
        cluster.client.wait_users(USERS)
        wait_until(
            lambda: cluster.client.status().run.complete_until_ms >= COMPLETE_MS,
            deadline_s=DEADLINE_S,
            describe=lambda: f"seconds that both workers reported; {cluster.client.status().run}",
        )
        snapshot = cluster.client.snapshot()
        seen = cluster.witness.seen()

        starts = sorted((life.first_s, life.host) for life in seen.lives)
        first_s = starts[0][0]
        late = {
            host: [start_s - first_s - i / SPAWN_RATE for i, (start_s, at) in enumerate(starts) if at == host]
            for host in ("w1", "w2")
        }
        assert {host for _, host in starts} == {"w1", "w2"}
        assert sum(host == "w2" for _, host in starts) == USERS // 2
        assert all(abs(median(each)) < LATE_S for each in late.values()), late
        assert COMPLETE_MS <= snapshot.run.complete_until_ms <= snapshot.run.elapsed_ms
        seconds_follow_the_ramp(snapshot)
        assert snapshot.total.current_rps == pytest.approx(rate_of_seconds(snapshot), rel=0.1)

        cluster.stop()
        assert cluster.reported() == cluster.witness.seen().counts
        warnings = {warning.kind for warning in cluster.client.snapshot().warnings}
        assert snapshot_pb2.WARNING_KIND_DEGRADED not in warnings
        print(f"users started at {late} s from due")


def seconds_follow_the_ramp(snapshot: snapshot_pb2.Snapshot) -> None:
    """Each second holds what the users of both workers asked for in it."""
    points = [point for point in snapshot.history if point.start_ms + 1000 <= snapshot.run.complete_until_ms]
    assert [point.start_ms for point in points] == list(range(0, len(points) * 1000, 1000))
    wanted = [min(USERS, (point.start_ms / 1000 + 0.5) * SPAWN_RATE + 0.5) * 10 for point in points]
    pairs = [
        (point.requests, pytest.approx(one, rel=0.2, abs=12))
        for point, one in zip(points, wanted, strict=True)
    ]
    assert sum(found != one for found, one in pairs) <= OTHER_SECONDS, pairs


def rate_of_seconds(snapshot: snapshot_pb2.Snapshot) -> float:
    """Requests per second in the complete seconds that the current rate is of, by the history."""
    points = [point for point in snapshot.history if point.start_ms + 1000 <= snapshot.run.complete_until_ms]
    return sum(point.requests for point in points[-10:]) / len(points[-10:])
