"""Runners that die or are stuck, an agent that stands still: what is promised holds, on real processes."""

from __future__ import annotations

import os
import signal
import time

from locust_protocol.v1 import assignment_pb2, report_pb2
from tests.chaos.truth import TruthTarget
from tests.support.processes import Command
from tests.support.target import Target
from tests.worker.conftest import SHORT_LEASE_S, StartAgent
from tests.worker.fake_master import RUN_ID, FakeMaster
from tests.worker.scenes import LOCUSTFILE, assert_counts_agree, drain, prepare, until

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


QUIET_S, LOOK_S = 2.0, 0.5
"""Seconds without a request after which users have ended, and those between two looks."""

MOST_PER_S = 4 / 0.01
"""Requests per second of the four users of a runner, who wait for a hundredth of a second between two."""


async def test_runners_that_die_declare_their_samples_and_get_their_users_back_at_the_spawn_rate(
    master: FakeMaster, target: Target, start_agent: StartAgent
) -> None:
    """Lost is at most what can be asked for in the declared time, half a second of it; never more users than
    planned, and four of them at four a second take most of a second. A machine that stands still for a moment
    may spoil the times of one death, not of both."""
    agent = start_agent(master.port)
    await prepare(master, target, agent)
    generation = master.run_users(8, spawn_rate=4.0)
    await until(lambda: master.status.observed_generation == generation and master.running == 8, "run", agent)
    ways = enumerate((signal.SIGKILL, signal.SIGSEGV))
    came_s = [await kill_and_watch(master, agent, slot=slot, how=how) for slot, how in ways]
    await drain(master, agent)
    died = master.seen(DIED)
    interrupted = sum(books.interrupted for books in master.books.values())
    lost = target.total() - sum(master.requests().values()) - interrupted
    declared_ms = [event.maybe_lost_ms for event in died]
    cut_off = len(died) * 4  # one request of each user was on the wire
    print(f"lost {lost} requests, declared {declared_ms} ms; users came within {came_s} s")
    assert ["SIGKILL" in died[0].text, "SIGSEGV" in died[1].text, len(died)] == [True, True, 2]
    assert lost <= sum(declared_ms) / 1000 * MOST_PER_S + cut_off
    assert min(declared_ms) <= 500
    assert max(came_s) >= 0.4


async def kill_and_watch(master: FakeMaster, agent: Command, *, slot: int, how: signal.Signals) -> float:
    """Ends a runner and waits until its users are back; returns the seconds between the first that was seen
    back and the last, none when they were seen together."""
    os.kill(master.status.runners[slot].pid, how)
    seen: list[tuple[float, int]] = []

    def is_back() -> bool:
        seen.append((time.monotonic(), master.running))
        return master.running == 8 and len(master.seen(RESTARTED)) == slot + 1

    await until(is_back, "users are back", agent)
    assert max(users for _, users in seen) == 8
    back_s = seen[-1][0]
    return back_s - next((at_s for at_s, users in seen if 4 < users < 8), back_s)


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
    code = HOLDING.format(seconds=6)
    bundle = master.bundle(locustfile=code, paths='ROOT = "/"')
    generation = master.run_users(1, bundle=bundle, settings=assignment_pb2.RunSettings(host=target.url))
    await until(lambda: master.status.observed_generation == generation, "users run", agent)
    await until(lambda: bool(master.seen(STALLED)), "stalled", agent)
    line = 1 + next(n for n, text in enumerate(code.splitlines()) if "# holds" in text)
    assert master.seen(STALLED)[0].text.endswith(f"locustfile.py:{line}")
    (runner,) = master.status.runners
    assert (runner.state, runner.restarts) == (report_pb2.RUNNER_STATE_STALLED, 0)
    assert runner.blocked_at.endswith(f"locustfile.py:{line}")
    recovered = report_pb2.WORKER_EVENT_KIND_RUNNER_RECOVERED
    await until(lambda: bool(master.seen(recovered)), "recovered", agent)
    await drain(master, agent)
    assert_counts_agree(master, target)
    assert master.seen(DIED) == []


async def test_stopped_agents_users_end_with_its_lease_and_come_back_when_it_is_told(
    short_leased: FakeMaster, start_agent: StartAgent
) -> None:
    """The runners go on without it until then, and not a moment longer; nothing is lost. The times are the
    target's, whoever looks at it late."""
    master = short_leased
    with TruthTarget() as target:
        agent = start_agent(master.port)
        bundle = master.bundle(locustfile=LOCUSTFILE, paths='ROOT = "/"')
        settings = assignment_pb2.RunSettings(host=target.url)
        generation = master.run_users(4, bundle=bundle, settings=settings)
        await until(lambda: master.status.observed_generation == generation, "users run", agent)
        await until(lambda: sum(master.requests().values()) >= 50, "requests", agent)
        before = len(master.registered)
        stopped_s = time.monotonic()
        agent.send_signal(signal.SIGSTOP)

        last_s = [stopped_s]

        def has_ended() -> bool:
            now_s = time.monotonic()
            if now_s - stopped_s < LOOK_S * len(last_s):
                return False
            last_s.append(target.truth().arrivals[-1].at_s)
            return now_s - last_s[-1] >= QUIET_S

        await until(has_ended, "no more requests", agent)
        assert SHORT_LEASE_S / 2 <= last_s[-1] - stopped_s <= 2 * SHORT_LEASE_S
        agent.send_signal(signal.SIGCONT)
        suspended = report_pb2.WORKER_EVENT_KIND_SUSPENDED
        await until(lambda: bool(master.seen(suspended)), "suspended", agent)
        await until(lambda: len(master.registered) > before and master.running == 4, "running again", agent)
        assert master.seen(report_pb2.WORKER_EVENT_KIND_FENCED)
        await drain(master, agent)
        served = target.truth().counts().total()
    reported = sum(master.requests().values())
    interrupted = sum(books.interrupted for books in master.books.values())
    assert reported <= served <= reported + interrupted, (reported, served, interrupted)
