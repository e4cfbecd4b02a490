"""Runners that die or are stuck, an agent that stands still: what is promised holds, on real processes."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass

import pytest

from locust_protocol.v1 import assignment_pb2, report_pb2
from tests.support.processes import Command
from tests.support.target import Target
from tests.worker.conftest import StartAgent
from tests.worker.fake_master import RUN_ID, FakeMaster
from tests.worker.scenes import LOCUSTFILE, assert_counts_agree, drain, prepare, run_some, until

pytestmark = pytest.mark.timeout(60)

DIED = report_pb2.WORKER_EVENT_KIND_RUNNER_DIED
RESTARTED = report_pb2.WORKER_EVENT_KIND_RUNNER_RESTARTED
STALLED = report_pb2.WORKER_EVENT_KIND_RUNNER_STALLED

HOLDING = (
    LOCUSTFILE
    + """
        if not held:
            held.append(True)
            sys.setswitchinterval(60)
            until_s = time.monotonic() + {seconds}
            while time.monotonic() < until_s: pass  # holds
            sys.setswitchinterval(0.005)

import sys, time
held = []
"""
)
"""Holds the interpreter for so many seconds by the clock: no other thread is let in, as with C code that
computes without letting go of it."""

BRIEF = """

class Brief(FastHttpUser):
    def on_start(self):
        self.client.get("/brief")
        raise StopUser

from locust.exception import StopUser
"""
"""Users that end by themselves after one request."""


@dataclass
class Load:
    """What a run of so many users asks of the target, measured."""

    users: int
    per_s: float


async def measure(target: Target, agent: Command, *, users: int) -> Load:
    before, started_s = target.total(), time.monotonic()
    await until(lambda: time.monotonic() - started_s >= 0.5, "half a second", agent)
    return Load(users, (target.total() - before) / (time.monotonic() - started_s))


async def test_runners_that_die_declare_their_samples_and_get_their_users_back_at_the_spawn_rate(
    master: FakeMaster, target: Target, start_agent: StartAgent
) -> None:
    """Lost is at most what was asked for in the declared time, half a second of it; never more users than
    planned, and four of them at eight a second take most of half a second."""
    agent = start_agent(master.port)
    await prepare(master, target, agent)
    generation = master.run_users(8, spawn_rate=8.0)
    await until(lambda: master.status.observed_generation == generation and master.running == 8, "run", agent)
    load = await measure(target, agent, users=8)
    for slot, how in enumerate((signal.SIGKILL, signal.SIGSEGV)):
        await kill_and_watch(master, agent, slot=slot, how=how)
    await drain(master, agent)
    died = master.seen(DIED)
    interrupted = sum(books.interrupted for books in master.books.values())
    lost = target.total() - sum(master.requests().values()) - interrupted
    declared_ms = [event.maybe_lost_ms for event in died]
    cut_off = len(died) * load.users / 2  # one request of each user was on the wire
    print(f"lost {lost} requests, declared {declared_ms} ms at {load.per_s:.0f} requests/s")
    assert ["SIGKILL" in died[0].text, "SIGSEGV" in died[1].text, len(died)] == [True, True, 2]
    assert lost <= sum(declared_ms) / 1000 * load.per_s + cut_off
    assert max(declared_ms) <= 500


async def kill_and_watch(master: FakeMaster, agent: Command, *, slot: int, how: signal.Signals) -> None:
    """Ends a runner and waits until its users are back, which come one after the other."""
    os.kill(master.status.runners[slot].pid, how)
    seen: list[tuple[float, int]] = []

    def is_back() -> bool:
        seen.append((time.monotonic(), master.running))
        return master.running == 8 and len(master.seen(RESTARTED)) == slot + 1

    await until(is_back, "users are back", agent)
    assert max(users for _, users in seen) == 8
    assert {users for _, users in seen} & {5, 6, 7}
    first_back_s = next(at_s for at_s, users in seen if 4 < users < 8)
    assert seen[-1][0] - first_back_s >= 0.1


async def test_runner_that_stands_still_is_killed_when_the_operator_wants_that(
    master: FakeMaster, target: Target, start_agent: StartAgent
) -> None:
    """`--kill-stalled-after`: nobody knows what it did meanwhile, so all of that time is declared; its users
    come back, but for those that had ended by themselves."""
    target.reset()
    agent = start_agent(master.port, "--kill-stalled-after", "0.2s", runners=1)
    goals = [
        assignment_pb2.ClassGoal(user_class=name, users=assignment_pb2.UserSchedule(base_users=2))
        for name in ("Brief", "Visitor")
    ]
    generation = master.assign(
        assignment_pb2.PHASE_RUN,
        run_id=RUN_ID,
        run_start_ns=time.monotonic_ns(),
        goals=goals,
        bundle=master.bundle(locustfile=LOCUSTFILE + BRIEF, paths='ROOT = "/"'),
        settings=assignment_pb2.RunSettings(host=target.url),
    )
    placed = [("Brief", 0, 2), ("Visitor", 2, 0)]
    await until(
        lambda: master.status.observed_generation == generation and users_of(master) == placed, "run", agent
    )
    os.kill(master.status.runners[0].pid, signal.SIGSTOP)
    await until(lambda: bool(master.seen(DIED)), "killed", agent)
    assert master.seen(STALLED)
    assert "SIGKILL" in master.seen(DIED)[0].text
    assert master.seen(DIED)[0].maybe_lost_ms >= 1_500
    await until(lambda: bool(master.seen(RESTARTED)) and users_of(master) == placed, "users are back", agent)
    await drain(master, agent)
    assert target.counts()["GET /brief"] == 2


def users_of(master: FakeMaster) -> list[tuple[str, int, int]]:
    """Users by class: running, and ended by themselves."""
    return [(each.user_class, each.running, each.ended) for each in master.status.users]


async def test_line_that_holds_the_interpreter_is_named_while_it_does(
    master: FakeMaster, target: Target, start_agent: StartAgent
) -> None:
    """No thread of the runner can answer meanwhile; nothing is lost, and the run goes on."""
    agent = start_agent(master.port, runners=1)
    target.reset()
    code = HOLDING.format(seconds=3)
    bundle = master.bundle(locustfile=code, paths='ROOT = "/"')
    generation = master.run_users(1, bundle=bundle, settings=assignment_pb2.RunSettings(host=target.url))
    await until(lambda: master.status.observed_generation == generation, "users run", agent)
    await until(lambda: bool(master.seen(STALLED)), "stalled", agent, deadline_s=10)
    line = 1 + next(n for n, text in enumerate(code.splitlines()) if "# holds" in text)
    assert master.seen(STALLED)[0].text.endswith(f"locustfile.py:{line}")
    (runner,) = master.status.runners
    assert (runner.state, runner.restarts) == (report_pb2.RUNNER_STATE_STALLED, 0)
    assert runner.blocked_at.endswith(f"locustfile.py:{line}")
    recovered = report_pb2.WORKER_EVENT_KIND_RUNNER_RECOVERED
    await until(lambda: bool(master.seen(recovered)), "recovered", agent, deadline_s=30)
    await drain(master, agent)
    assert_counts_agree(master, target)
    assert master.seen(DIED) == []


async def test_stopped_agents_users_end_with_its_lease_and_come_back_when_it_is_told(
    short_leased: FakeMaster, target: Target, start_agent: StartAgent
) -> None:
    """The runners go on without it until then, and not a moment longer; nothing is lost."""
    master = short_leased
    agent = start_agent(master.port)
    await prepare(master, target, agent)
    await run_some(master, agent)
    agent.send_signal(signal.SIGSTOP)
    stopped_s = time.monotonic()
    counts = [target.total()]

    def has_ended() -> bool:
        if time.monotonic() - stopped_s < 0.5 * len(counts):
            return False
        counts.append(target.total())
        return counts[-1] == counts[-2]

    await until(has_ended, "no more requests", agent)
    assert 1.5 <= time.monotonic() - stopped_s <= 6.0
    agent.send_signal(signal.SIGCONT)
    suspended = report_pb2.WORKER_EVENT_KIND_SUSPENDED
    await until(lambda: bool(master.seen(suspended)), "suspended", agent)
    await until(lambda: len(master.registered) == 2 and master.running == 4, "running again", agent)
    assert master.seen(report_pb2.WORKER_EVENT_KIND_FENCED)
    await drain(master, agent)
    assert_counts_agree(master, target)
