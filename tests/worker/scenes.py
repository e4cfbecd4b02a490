"""What most tests of a real agent go through: prepare, run, drain, and the books at the end."""

from __future__ import annotations

from collections.abc import Callable

from locust_protocol.v1 import assignment_pb2
from tests.support.processes import Command, assert_no_processes
from tests.support.target import Target
from tests.support.wait import wait_until_async
from tests.worker.fake_master import FakeMaster

PREPARE = assignment_pb2.PHASE_PREPARE
DRAIN = assignment_pb2.PHASE_DRAIN

LOCUSTFILE = """
from locust import FastHttpUser, constant, task
import paths

class Visitor(FastHttpUser):
    wait_time = constant(0.01)

    @task
    def visit(self):
        self.client.get(paths.ROOT)
"""


DEADLINE_S = 40.0
"""Seconds for what takes one on an idle machine; nobody waits for them unless something is wrong."""


async def until(
    condition: Callable[[], object], what: str, agent: Command, *, deadline_s: float = DEADLINE_S
) -> None:
    await wait_until_async(condition, deadline_s=deadline_s, describe=lambda: f"{what}\n{agent.describe()}")


async def prepare(master: FakeMaster, target: Target, agent: Command) -> None:
    target.reset()
    settings = assignment_pb2.RunSettings(host=target.url)
    bundle = master.bundle(locustfile=LOCUSTFILE, paths='ROOT = "/"')
    generation = master.assign(PREPARE, bundle=bundle, settings=settings)
    await until(lambda: master.status.observed_generation == generation, "prepared", agent)


async def run_some(master: FakeMaster, agent: Command, *, users: int = 4, requests: int = 50) -> None:
    generation = master.run_users(users)
    await until(lambda: master.status.observed_generation == generation, "users run", agent)
    already = sum(master.requests().values())
    await until(lambda: sum(master.requests().values()) >= already + requests, "requests", agent)


async def drain(master: FakeMaster, agent: Command) -> None:
    master.assign(DRAIN, goals=[])
    await until(lambda: all(books.model.is_final for books in master.books.values()), "final", agent)


def assert_counts_agree(master: FakeMaster, target: Target) -> None:
    """What was reported, plus what was cut off on the wire, is what the target received."""
    interrupted = sum(books.interrupted for books in master.books.values())
    reported = sum(master.requests().values())
    received = target.total()
    assert reported <= received <= reported + interrupted, (reported, received, interrupted)
    assert sum(books.failures for books in master.books.values()) == 0


def assert_ended(agent: Command, exit_code: int) -> None:
    """The agent has ended by itself with this code, and none of its processes lives."""
    assert agent.exit_code == exit_code, agent.describe()
    assert_no_processes(agent.processes())
