"""Locust's side: `locust --master` and its workers, headless, on the same locustfile.

When its run starts it tells nobody exactly, so who compares has to fit the offset, in Locust's favour.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import psutil
from tests.support.ports import free_port
from tests.support.processes import Command

from benchmarks.spawn_times.load import CpuShares
from benchmarks.spawn_times.ours import LOCUSTFILE, SLACK_S, check_ramp, wait_requests
from benchmarks.spawn_times.scenario import Observation, Scenario, SideFailed
from benchmarks.spawn_times.witness import Witness

START_DEADLINE_S = 60.0
"""Ten workers that import Locust at once on two cores take half of it."""


def observe(program: Path, scenario: Scenario, witness: Witness, folder: Path) -> Observation:
    """One ramp of real Locust, `program` being its command. Raises SideFailed."""
    port = str(free_port())
    # No setting from outside: a stray locust.conf or LOCUST_USERS would change this side only.
    settings = {name: None for name in os.environ if name.startswith("LOCUST_")}
    environment = {**settings, "HOME": str(folder)}
    common = (str(program), "-f", str(LOCUSTFILE), "-H", witness.url, "--skip-log-setup")
    master = Command(
        [
            *common,
            *("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port),
            *("--headless", "--only-summary", "--expect-workers", str(scenario.workers)),
            *("-u", str(scenario.users), "-r", f"{float(scenario.spawn_rate):g}"),
        ],
        cwd=folder,
        environment=environment,
    )
    workers = [
        Command(
            [*common, "--worker", "--master-host", "127.0.0.1", "--master-port", port],
            cwd=folder,
            environment=environment,
        )
        for _ in range(scenario.workers)
    ]
    with ExitStack() as stack:
        try:
            for command in (master, *workers):
                stack.enter_context(command)
            wait_requests(witness, 1, deadline_s=START_DEADLINE_S)
            with CpuShares(worker.pid for worker in workers) as cpu:
                wait_requests(witness, scenario.users, deadline_s=scenario.ramp_s + SLACK_S)
            starts = witness.arrivals()
            check_ramp(starts, scenario)
        except (AssertionError, psutil.NoSuchProcess) as error:
            raise SideFailed(f"locust: {error}\n{master.describe()}") from error
    return Observation(starts=starts, stops=[], start=None, busiest_runner=cpu.busiest)
