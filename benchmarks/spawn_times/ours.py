"""Our side: a master and workers as users start them, controlled by a script.

When the run started is asked of the master: each status says how old the run is, and between asking and
answer lies the moment that this was true.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import psutil
from tests.support.cluster import Client, Cluster
from tests.support.wait import wait_until

from benchmarks.spawn_times.arrivals import Arrival, Moment, times_of
from benchmarks.spawn_times.lateness import Sighting, run_start
from benchmarks.spawn_times.load import CpuShares
from benchmarks.spawn_times.scenario import Observation, Scenario, SideFailed
from benchmarks.spawn_times.witness import Witness
from locust_protocol.v1 import report_pb2, snapshot_pb2

State = TypeVar("State")

LOCUSTFILE = Path(__file__).parent / "locustfiles" / "witnessed.py"
"""In a folder of its own: all that lies beside a locustfile goes to the workers."""

LOOK_INTERVAL_S = 0.25
"""Between two looks at the target while a ramp goes on: often enough, and no work to speak of."""

SIGHTINGS = 200
"""Statuses asked for; each brackets the start within some 2 ms, all together within 0.5 ms."""

SLACK_S = 30.0
"""Time beyond a ramp's own until it has failed."""


def observe(scenario: Scenario, witness: Witness, folder: Path, *, ramp_down: bool) -> Observation:
    """One ramp, followed by one down to nobody at the same rate if wished. Raises SideFailed."""
    with ExitStack() as stack:
        try:
            cluster = stack.enter_context(
                Cluster(
                    folder,
                    LOCUSTFILE,
                    workers=scenario.workers,
                    runners=scenario.runners,
                    host=witness.url,
                    master_options=("--expect-workers", str(scenario.workers)),
                )
            )
            with CpuShares(_wait_runners(cluster.client, scenario)) as cpu:
                cluster.client.start(users=scenario.users, spawn_rate=float(scenario.spawn_rate))
                wait_requests(witness, scenario.users, deadline_s=scenario.ramp_s + SLACK_S)
            start = run_start([_sighting(cluster.client) for _ in range(SIGHTINGS)])
            starts = witness.arrivals()
            check_ramp(starts, scenario)
            if ramp_down:
                cluster.client.edit(users=0, spawn_rate=float(scenario.spawn_rate))
                wait_requests(witness, 2 * scenario.users, deadline_s=scenario.ramp_s + SLACK_S)
            stops = [each for each in witness.arrivals() if each.moment is Moment.STOPPED]
            cluster.client.stop()
            cluster.client.wait_state(snapshot_pb2.RUN_STATE_STOPPED)
            cluster.client.shut_down()
        except (AssertionError, psutil.NoSuchProcess) as error:
            raise SideFailed(f"ours: {error}") from error
    return Observation(starts=starts, stops=stops, start=start, busiest_runner=cpu.busiest)


def wait_requests(witness: Witness, requests: int, *, deadline_s: float) -> None:
    """Wait until the target has had so many requests: one for each user that started or stopped."""
    wait_until(
        _slowly(lambda: witness.count() >= requests),
        deadline_s=deadline_s,
        describe=lambda: f"{requests} requests; the target has had {witness.count()}",
    )


def check_ramp(arrivals: list[Arrival], scenario: Scenario) -> None:
    """Raise AssertionError unless each user has started once and none has stopped.

    A side that lost a worker on a crowded machine starts users again: that says nothing about due times.
    """
    started = len(times_of(arrivals, Moment.STARTED))
    stopped = len(arrivals) - started
    assert (started, stopped) == (scenario.users, 0), (
        f"{started} users started and {stopped} stopped in a ramp of {scenario.users}"
    )


def _wait_runners(client: Client, scenario: Scenario) -> list[int]:
    """Wait until every runner has loaded the locustfile; returns their pids."""

    def found() -> list[int] | None:
        runners = [runner for worker in client.status().workers for runner in worker.status.runners]
        ready = [each.pid for each in runners if each.state == report_pb2.RUNNER_STATE_READY]
        return ready if len(ready) == scenario.workers * scenario.runners else None

    pids = wait_until(
        _slowly(found), deadline_s=SLACK_S, describe=lambda: f"runners; {client.status().workers}"
    )
    assert pids is not None
    return pids


def _slowly(condition: Callable[[], State]) -> Callable[[], State]:
    def look() -> State:
        time.sleep(LOOK_INTERVAL_S)
        return condition()

    return look


def _sighting(client: Client) -> Sighting:
    asked_ns = time.monotonic_ns()
    elapsed_ms = client.status().run.elapsed_ms
    return Sighting(asked_ns=asked_ns, elapsed_ms=elapsed_ms, answered_ns=time.monotonic_ns())
