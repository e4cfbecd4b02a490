"""A runner ends its users by itself when it hears no more of its agent."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from locust_protocol.runner.v1.link_pb2 import Ping
from locust_protocol.v1.assignment_pb2 import Phase
from locust_runtime.run import lease
from locust_runtime.run.lease import Lease
from tests.runtime.run.runner_driver import RunnerDriver
from tests.runtime.run.test_runner_life import Write

PACED = """
    from locust import User, constant, task

    class Paced(User):
        wait_time = constant(0.05)

        @task
        def work(self):
            self.environment.events.request.fire(
                request_type="GET", name="/", response_time=1, response_length=0, exception=None, context={}
            )
"""


def test_lease_is_over_when_the_last_ping_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """And never, when no ping said anything."""
    now_s = 100.0
    monkeypatch.setattr(time, "clock_gettime", lambda _clock: now_s)
    mine = Lease()
    assert not mine.is_over
    mine.renew(2_000)
    now_s += 2 + lease.GRACE_S - 0.01
    assert not mine.is_over
    now_s += 0.02
    assert mine.is_over
    mine.renew(0)
    assert not mine.is_over


def test_runner_ends_its_users_when_its_agent_falls_silent(runner: RunnerDriver, locustfile: Write) -> None:
    """An agent that is stopped can give no order, and its share may be another worker's by now."""
    start(runner, locustfile(PACED))
    runner.send(ping=Ping(id=1, lease_left_ms=300))
    runner.wait_for(lambda: runner.counted("requests").total() >= 4, "requests")
    assert runner.final_report().final
    runner.wait_for(lambda: not runner.users().get("Paced"), "no users")
    assert any("its lease is over" in text for text in runner.log_texts())


def test_runner_goes_on_while_pings_renew_its_lease(runner: RunnerDriver, locustfile: Write) -> None:
    """The last word counts."""
    start(runner, locustfile(PACED))
    runner.send(ping=Ping(id=1, lease_left_ms=0))
    runner.send(ping=Ping(id=2, lease_left_ms=60_000))
    over_s = time.monotonic() + lease.GRACE_S + 0.5
    runner.wait_for(lambda: time.monotonic() > over_s, "the end of the first lease")
    assert runner.users() == {"Paced": 2}


def start(runner: RunnerDriver, folder: Path) -> None:
    runner.load(folder)
    runner.wait_for_frame("loaded")
    runner.start_clock()
    runner.target(Phase.PHASE_RUN, {"Paced": 2})
