"""A locustfile that burns CPU blocks its runner, and nothing else."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from locust_protocol.v1 import report_pb2, snapshot_pb2
from tests.support.cluster import Cluster
from tests.support.wait import wait_until

pytestmark = pytest.mark.end_to_end

BLOCKING = """
import time
from locust import User, task

class Burner(User):
    @task
    def burn(self):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            pass
"""

DEADLINE_S = 40.0
"""Shorter than the block, so that all of it happens while it lasts."""


def test_agent_goes_on_answering_while_its_runner_is_blocked(tmp_path: Path) -> None:
    """The worker stays live, and the operator is told the line that blocks."""
    locustfile = tmp_path / "burner.py"
    locustfile.write_text(BLOCKING)
    with Cluster(tmp_path, locustfile) as cluster:
        cluster.client.start(users=1, spawn_rate=1)

        silences_ms: list[int] = []

        def is_heard_of_again() -> snapshot_pb2.WorkerSummary | None:
            (worker,) = cluster.client.status().workers
            if worker.status.runners[0].state == report_pb2.RUNNER_STATE_STALLED:
                silences_ms.append(worker.silent_ms)
            reports = sum(later_ms < earlier_ms for earlier_ms, later_ms in pairwise(silences_ms))
            return worker if reports >= 3 else None

        worker = wait_until(
            is_heard_of_again,
            deadline_s=DEADLINE_S,
            describe=lambda: f"reports of a stalled runner; {cluster.client.status().workers}",
        )
        assert "burner.py:" in worker.status.runners[0].blocked_at
        assert worker.state in (report_pb2.WORKER_STATE_SPAWNING, report_pb2.WORKER_STATE_RUNNING)
