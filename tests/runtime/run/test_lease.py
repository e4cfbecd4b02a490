"""A runner ends its users by itself when it hears no more of its agent."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from locust_protocol.process.lease_clock import lease_clock_ns
from locust_protocol.runner.v1.link_pb2 import Ping
from locust_protocol.v1.assignment_pb2 import Phase
from locust_runtime.run import lease
from locust_runtime.run.lease import Lease
from tests.runtime.run.runner_driver import RunnerDriver
from tests.runtime.run.test_runner_life import Write

SECOND_NS = 1_000_000_000

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
    now_ns = 100 * SECOND_NS
    monkeypatch.setattr(lease, "lease_clock_ns", lambda: now_ns)
    mine = Lease()
    assert not mine.is_over
    mine.renew(102 * SECOND_NS)
    now_ns = round((102 + lease.GRACE_S) * SECOND_NS) - 1
    assert not mine.is_over
    now_ns += 1
    assert mine.is_over
    mine.renew(now_ns)
    assert not mine.is_over


def test_lease_is_not_prolonged_by_a_ping_that_is_read_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runner that was stopped finds pings that waited for it, and its share may be another one's by now."""
    now_ns = 100 * SECOND_NS
    monkeypatch.setattr(lease, "lease_clock_ns", lambda: now_ns)
    mine = Lease()
    until_ns = 102 * SECOND_NS
    now_ns = 104 * SECOND_NS
    mine.renew(until_ns)
    assert mine.is_over


def test_runner_ends_its_users_when_its_agent_falls_silent(runner: RunnerDriver, locustfile: Write) -> None:
    """An agent that is stopped can give no order, and its share may be another worker's by now."""
    start(runner, locustfile(PACED))
    runner.send(ping=Ping(id=1, lease_until_ns=lease_clock_ns() + 2 * SECOND_NS))
    runner.wait_for(lambda: runner.counted("requests").total() >= 4, "requests")
    assert runner.final_report().final
    runner.wait_for(lambda: not runner.users().get("Paced"), "no users")
    assert any("its lease is over" in text for text in runner.log_texts())


def test_runner_goes_on_while_pings_renew_its_lease(runner: RunnerDriver, locustfile: Write) -> None:
    """The last word counts."""
    start(runner, locustfile(PACED))
    runner.send(ping=Ping(id=1, lease_until_ns=lease_clock_ns()))
    runner.send(ping=Ping(id=2, lease_until_ns=lease_clock_ns() + 60 * SECOND_NS))
    over_s = time.monotonic() + lease.GRACE_S + 0.5
    runner.wait_for(lambda: time.monotonic() > over_s, "the end of the first lease")
    assert runner.users() == {"Paced": 2}


def start(runner: RunnerDriver, folder: Path) -> None:
    runner.load(folder)
    runner.wait_for_frame("loaded")
    runner.start_clock()
    runner.target(Phase.PHASE_RUN, {"Paced": 2})
