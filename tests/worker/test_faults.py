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
from tests.worker.fake_master import FakeMaster
from tests.worker.scenes import LOCUSTFILE, assert_counts_agree, drain, prepare, run_some, until

pytestmark = pytest.mark.timeout(60)

DIED = report_pb2.WORKER_EVENT_KIND_RUNNER_DIED
STALLED = report_pb2.WORKER_EVENT_KIND_RUNNER_STALLED

HOLDING = (
    LOCUSTFILE
    + """
        if not held:
            held.append(True)
            re.match("(a+)+$", "a" * length + "b")  # holds

import math, re, time
held, length = [], 18
started_s = time.monotonic()
re.match("(a+)+$", "a" * length + "b")
length += math.ceil(math.log2({seconds} / (time.monotonic() - started_s)))
"""
)
"""Backtracks for about so many seconds, up to twice as long, in C code that holds the interpreter."""


@dataclass
class Load:
    """What a run of so many users asks of the target, measured."""

    users: int
    per_s: float


async def measure(target: Target, agent: Command, *, users: int) -> Load:
    before, started_s = target.total(), time.monotonic()
    await until(lambda: time.monotonic() - started_s >= 1.0, "a second", agent)
    return Load(users, (target.total() - before) / (time.monotonic() - started_s))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
async def test_samples_that_die_with_a_runner_are_declared_in_full(
    master: FakeMaster, target: Target, start_agent: StartAgent, how: signal.Signals
) -> None:
    """At most what its users asked for in the declared time, and at most half a second of it."""
    agent = start_agent(master.port)
    await prepare(master, target, agent)
    await run_some(master, agent, users=8)
    load = await measure(target, agent, users=8)
    for slot in (0, 1):
        restarts = len(master.seen(report_pb2.WORKER_EVENT_KIND_RUNNER_RESTARTED))
        os.kill(master.status.runners[slot].pid, how)
        await until(
            lambda n=restarts: (  # type: ignore[misc]
                len(master.seen(report_pb2.WORKER_EVENT_KIND_RUNNER_RESTARTED)) > n
                and [runner.users for runner in master.status.runners] == [4, 4]
            ),
            "users are back",
            agent,
        )
    await drain(master, agent)
    died = master.seen(DIED)
    interrupted = sum(books.interrupted for books in master.books.values())
    lost = target.total() - sum(master.requests().values()) - interrupted
    declared_ms = [event.maybe_lost_ms for event in died]
    cut_off = len(died) * load.users / 2  # one request of each user was on the wire
    print(f"{how.name}: lost {lost} requests, declared {declared_ms} ms at {load.per_s:.0f} requests/s")
    assert [how.name in event.text for event in died] == [True] * 2
    assert lost <= sum(declared_ms) / 1000 * load.per_s + cut_off
    assert max(declared_ms) <= 500


async def test_runner_that_was_stopped_before_it_died_declares_all_of_that_time(
    master: FakeMaster, target: Target, start_agent: StartAgent
) -> None:
    """Nobody knows what it did; more than half a second is said then."""
    agent = start_agent(master.port, runners=1)
    await prepare(master, target, agent)
    await run_some(master, agent)
    victim = master.status.runners[0].pid
    os.kill(victim, signal.SIGSTOP)
    await until(lambda: bool(master.seen(STALLED)), "stalled", agent)
    os.kill(victim, signal.SIGKILL)
    await until(lambda: bool(master.seen(DIED)), "died", agent)
    assert master.seen(DIED)[0].maybe_lost_ms >= 1_500


async def test_users_of_a_runner_that_died_come_back_at_the_spawn_rate(
    master: FakeMaster, target: Target, start_agent: StartAgent
) -> None:
    """Four users at four a second take most of a second; at no moment are there more than planned."""
    agent = start_agent(master.port)
    await prepare(master, target, agent)
    generation = master.run_users(8, spawn_rate=4.0)
    await until(lambda: master.status.observed_generation == generation and master.running == 8, "run", agent)
    os.kill(master.status.runners[0].pid, signal.SIGKILL)
    seen: list[tuple[float, int]] = []

    def is_back() -> bool:
        seen.append((time.monotonic(), master.running))
        return master.running == 8 and bool(master.seen(report_pb2.WORKER_EVENT_KIND_RUNNER_RESTARTED))

    await until(is_back, "users are back", agent)
    assert max(users for _, users in seen) == 8
    assert {users for _, users in seen} & {5, 6, 7}
    first_back_s = next(at_s for at_s, users in seen if 4 < users < 8)
    assert seen[-1][0] - first_back_s >= 0.2
    await drain(master, agent)


async def test_line_that_holds_the_interpreter_is_named_while_it_does(
    master: FakeMaster, target: Target, start_agent: StartAgent
) -> None:
    """No thread of the runner can answer meanwhile; nothing is lost, and the run goes on."""
    agent = start_agent(master.port, runners=1)
    target.reset()
    code = HOLDING.format(seconds=4)
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


async def test_blocked_runner_is_killed_when_the_operator_wants_that(
    master: FakeMaster, target: Target, start_agent: StartAgent
) -> None:
    """`--kill-stalled-after`; without it a blocked runner is waited for."""
    agent = start_agent(master.port, "--kill-stalled-after", "1s", runners=1)
    bundle = master.bundle(locustfile=HOLDING.format(seconds=1000), paths='ROOT = "/"')
    master.run_users(1, bundle=bundle, settings=assignment_pb2.RunSettings(host=target.url))
    await until(lambda: bool(master.seen(DIED)), "killed", agent, deadline_s=30)
    assert master.seen(STALLED)
    assert "SIGKILL" in master.seen(DIED)[0].text


async def test_stopped_agents_users_end_with_its_lease_and_come_back_when_it_is_told(
    target: Target, start_agent: StartAgent
) -> None:
    """The runners go on without it until then, and not a moment longer; nothing is lost."""
    master = FakeMaster(lease_s=2.0)
    await master.start()
    try:
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
    finally:
        agent.send_signal(signal.SIGCONT)
        await master.stop()
