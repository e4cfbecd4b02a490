"""Errors with texts that are huge and all different: memory stays bounded, and counts exact."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from locust_protocol.limits import MAX_ERROR_KINDS, MAX_ERROR_TEXT_CHARS, OTHER_ERRORS
from locust_protocol.v1 import snapshot_pb2
from tests.support.cluster import Cluster
from tests.support.processes import children_of
from tests.support.wait import wait_until

pytestmark = pytest.mark.end_to_end

LOCUSTFILE = Path(__file__).parent / "locustfiles" / "huge_errors.py"
IS_SLOW = os.environ.get("SLOW_TESTS") == "1"
FAILURES = 1_000 if IS_SLOW else 540
"""Enough to pass the limit of kinds."""

TEXT_BYTES = 10_000_000 if IS_SLOW else 1_000_000
"""Python needs 30 ms to write 10 MB of an exception out."""

WARM_FAILURES = 20
GROWTH_BYTES = 10 << 20
"""Memory that a control process may gain: 500 texts of 1 KiB are half a MiB."""

RUNNER_GROWTH_BYTES = 80 << 20
"""In the runner the locustfile's own text lives for a moment, in a few copies of 10 to 20 MB."""

DEADLINE_S = 240.0 if IS_SLOW else 90.0


def test_huge_and_unique_error_texts_are_bounded_everywhere_and_counted_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that puts a page or an id into each error must not take the test down."""
    monkeypatch.setenv("TEST_FAILURES", str(FAILURES))
    monkeypatch.setenv("TEST_TEXT_BYTES", str(TEXT_BYTES))
    with Cluster(tmp_path, LOCUSTFILE) as cluster:
        cluster.client.start(users=1, spawn_rate=1)
        wait_failures(cluster, WARM_FAILURES)
        (runner,) = children_of(cluster.workers[0].pid)
        processes = {"master": cluster.master.pid, "agent": cluster.workers[0].pid, "runner": runner}
        before = {name: psutil.Process(pid).memory_info().rss for name, pid in processes.items()}
        wait_failures(cluster, FAILURES)
        growth = {
            name: psutil.Process(pid).memory_info().rss - before[name] for name, pid in processes.items()
        }
        cluster.client.stop()
        cluster.client.wait_state(snapshot_pb2.RUN_STATE_STOPPED)
        snapshot = cluster.client.snapshot()

        assert snapshot.total.failures == FAILURES == sum(row.count for row in snapshot.errors)
        assert len(snapshot.errors) <= MAX_ERROR_KINDS + 1
        others = [row.count for row in snapshot.errors if row.message == OTHER_ERRORS]
        assert others == [FAILURES - MAX_ERROR_KINDS]
        assert max(len(row.message) for row in snapshot.errors) <= MAX_ERROR_TEXT_CHARS
        print({name: f"+{grown / 2**20:.1f} MiB" for name, grown in growth.items()})
        assert growth["master"] < GROWTH_BYTES
        assert growth["agent"] < GROWTH_BYTES
        assert growth["runner"] < RUNNER_GROWTH_BYTES


def wait_failures(cluster: Cluster, failures: int) -> None:
    wait_until(
        lambda: cluster.client.snapshot().total.failures >= failures,
        deadline_s=DEADLINE_S,
        describe=lambda: f"{failures} failures; {cluster.client.snapshot().total.failures} came",
    )
