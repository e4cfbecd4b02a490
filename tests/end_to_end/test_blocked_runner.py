"""A locustfile that burns CPU blocks its runner, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from locust_protocol.v1 import report_pb2
from tests.support.cluster import Cluster
from tests.support.wait import wait_until

pytestmark = pytest.mark.end_to_end

BLOCKING = """
import time
from locust import User, task

class Burner(User):
    @task
    def burn(self):
        end = time.time() + 6
        while time.time() < end:
            pass
"""

DEADLINE_S = 20.0


def test_agent_goes_on_answering_while_its_runner_is_blocked(tmp_path: Path) -> None:
    """The worker stays live, and the operator is told the line that blocks."""
    locustfile = tmp_path / "burner.py"
    locustfile.write_text(BLOCKING)
    with Cluster(tmp_path, locustfile) as cluster:
        cluster.client.start(users=1, spawn_rate=1)

        def stalled() -> report_pb2.RunnerStatus | None:
            (worker,) = cluster.client.status().workers
            assert worker.silent_ms < 3_000
            runner = worker.status.runners[0]
            return runner if runner.state == report_pb2.RUNNER_STATE_STALLED else None

        runner = wait_until(stalled, deadline_s=DEADLINE_S, describe="a stalled runner")
        assert "burner.py:" in runner.blocked_at
