"""Simulated workers on a real master: many at once, a bundle for all, and a master that stands still."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from benchmarks.simulated_workers.bundle_rush import rush
from benchmarks.simulated_workers.case import Case, fleet_process, master_process, port_of, tally_of
from benchmarks.simulated_workers.samples import Load

from locust_protocol.v1 import snapshot_pb2
from tests.support.cluster import Client
from tests.support.wait import wait_until

pytestmark = pytest.mark.end_to_end

WORKERS = 30
DEADLINE_S = 60.0
LEASE_TTL_S = 5
STOP_S = 8.0
"""Longer than a lease and what the master waits beyond it: 5 s + 2 s."""


def test_workers_that_fetch_a_bundle_at_once_lose_no_lease() -> None:
    """The bundle must leave room for reports and what acknowledges them."""
    found = rush(WORKERS, bundle_mb=5.0, stay_s=0.0)
    assert (found.fetched, found.leases_lost, found.sessions) == (WORKERS, 0, WORKERS)


def test_master_that_stands_still_loses_no_worker_and_no_sample(tmp_path: Path) -> None:
    """What was silent was the master: it must not take that for the silence of everybody else."""
    with ExitStack() as stack:
        options = ("--lease-ttl", str(LEASE_TTL_S))
        master = stack.enter_context(master_process(tmp_path, options=options))
        case = Case(WORKERS, load=Load(series=5, samples_per_s=10))
        port = port_of(master, tmp_path)
        fleet = stack.enter_context(fleet_process(port, case))
        client = Client(port)
        stack.callback(client.close)
        client.wait_workers(WORKERS)
        client.start(users=WORKERS, spawn_rate=1_000, user_classes=["FastGet"])
        wait_until(
            lambda: client.snapshot().total.requests > 0, deadline_s=DEADLINE_S, describe=lambda: "samples"
        )
        os.kill(master.pid, signal.SIGSTOP)
        try:
            time.sleep(STOP_S)
        finally:
            os.kill(master.pid, signal.SIGCONT)
        caught_up = tally_of(fleet)["samples"] + 1
        wait_until(
            lambda: client.snapshot().total.requests >= caught_up,
            deadline_s=DEADLINE_S,
            describe=lambda: f"{caught_up} samples; now {client.snapshot().total.requests}",
        )
        client.stop()
        client.wait_state(snapshot_pb2.RUN_STATE_STOPPED)
        snapshot = client.snapshot()
        kinds = {event.kind for event in snapshot.events}
        assert snapshot_pb2.RUN_EVENT_KIND_WORKER_LOST not in kinds
        assert snapshot.total.requests == tally_of(fleet)["samples"]
        assert tally_of(fleet)["resyncs"] == 0
