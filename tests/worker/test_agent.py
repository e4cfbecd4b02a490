"""A real agent with real runners does what its master says, counts every request once, and goes in order."""

from __future__ import annotations

import os
import signal

from locust_protocol.v1 import assignment_pb2, master_service_pb2, report_pb2
from tests.support.processes import assert_no_processes, children_of
from tests.support.target import Target
from tests.worker.conftest import StartAgent
from tests.worker.fake_master import FakeMaster
from tests.worker.scenes import (
    LOCUSTFILE,
    PREPARE,
    assert_counts_agree,
    assert_ended,
    drain,
    prepare,
    run_some,
    until,
)


async def test_agent_runs_what_it_is_assigned_and_every_request_is_counted(
    master: FakeMaster, target: Target, start_agent: StartAgent
) -> None:
    """The whole way: join, bundle, load, users, samples, final report, the end with the master."""
    agent = start_agent(master.port)
    await prepare(master, target, agent)
    await run_some(master, agent)
    assert master.running == 4
    assert [runner.users for runner in master.status.runners] == [2, 2]
    assert master.status.state == report_pb2.WORKER_STATE_RUNNING
    await drain(master, agent)
    assert_counts_agree(master, target)
    master.command(master_leaving=master_service_pb2.MasterLeaving(reason="the run is over"))
    await until(lambda: agent.exit_code is not None, "exit", agent)
    assert_ended(agent, 0)


async def test_agent_asked_to_end_delivers_everything_and_says_goodbye(
    master: FakeMaster, target: Target, start_agent: StartAgent
) -> None:
    """Ctrl-C on a worker in the middle of a run loses nothing."""
    agent = start_agent(master.port)
    await prepare(master, target, agent)
    await run_some(master, agent)
    agent.send_signal(signal.SIGTERM)
    await until(lambda: agent.exit_code is not None, "exit", agent)
    assert_ended(agent, 0)
    assert master.goodbyes == ["the worker was asked to end"]
    assert all(books.model.is_final for books in master.books.values())
    assert_counts_agree(master, target)


async def test_agent_counts_once_over_lost_connections(
    master: FakeMaster, target: Target, start_agent: StartAgent
) -> None:
    """Reports under way when a stream breaks are sent again, and count once."""
    agent = start_agent(master.port)
    await prepare(master, target, agent)
    await run_some(master, agent)
    for lost in range(1, 4):
        master.cut()
        await until(lambda lost=lost: len(master.registered) > lost, "back again", agent)  # type: ignore[misc]
        already = sum(master.requests().values())
        await until(lambda n=already: sum(master.requests().values()) > n, "requests", agent)  # type: ignore[misc]
    assert master.running == 4
    await drain(master, agent)
    assert_counts_agree(master, target)


async def test_agent_sends_a_snapshot_to_a_master_that_knows_nothing(
    master: FakeMaster, target: Target, start_agent: StartAgent
) -> None:
    """A master without its store gets the totals back from its workers."""
    agent = start_agent(master.port)
    await prepare(master, target, agent)
    await run_some(master, agent)
    master.forget()
    master.cut()
    await until(lambda: bool(master.books), "snapshot", agent)
    await drain(master, agent)
    assert_counts_agree(master, target)


async def test_agent_ends_users_when_its_lease_is_over_and_runs_again_when_told(
    short_leased: FakeMaster, target: Target, start_agent: StartAgent
) -> None:
    """No load without a master; and back to work when it answers again."""
    master = short_leased
    agent = start_agent(master.port)
    await prepare(master, target, agent)
    await run_some(master, agent)
    before = len(master.registered)
    master.holds_back = True
    await until(lambda: len(master.registered) > before, "registered again", agent)
    await until(lambda: bool(master.seen(report_pb2.WORKER_EVENT_KIND_FENCED)), "fenced", agent)
    master.holds_back = False
    await until(lambda: master.running == 4, "running again", agent)
    await drain(master, agent)
    assert_counts_agree(master, target)


async def test_agent_that_was_fenced_before_it_was_admitted_says_so_at_once(
    short_leased: FakeMaster, target: Target, start_agent: StartAgent
) -> None:
    """Else the master takes it for one that runs its share, and its users come back all at once. What the
    master says at each admission is said once."""
    master = short_leased
    master.notices = ["too many runners"]
    agent = start_agent(master.port)
    await prepare(master, target, agent)
    await run_some(master, agent)
    before = len(master.registered)
    master.may_answer.clear()
    master.cut()
    await until(lambda: len(master.registered) == before + 1, "asks", agent)
    await until(lambda: "users were ended" in agent.stderr(), "fenced", agent)
    master.may_answer.set()
    await until(lambda: len(master.registered) > before + 1 and master.running == 4, "running again", agent)
    phases = [request.progress.phase for request in master.registered[before : before + 2]]
    assert phases == [assignment_pb2.PHASE_RUN, assignment_pb2.PHASE_DRAIN]
    assert agent.stderr().count("too many runners") == 1
    await drain(master, agent)
    assert_counts_agree(master, target)


async def test_agent_restarts_a_runner_that_died(
    master: FakeMaster, target: Target, start_agent: StartAgent
) -> None:
    """The worker stays, the event says what may be lost, the users are back."""
    agent = start_agent(master.port)
    await prepare(master, target, agent)
    await run_some(master, agent)
    victim = master.status.runners[1].pid
    assert victim in children_of(agent.pid)
    os.kill(victim, signal.SIGKILL)
    await until(lambda: bool(master.seen(report_pb2.WORKER_EVENT_KIND_RUNNER_RESTARTED)), "restart", agent)
    await until(lambda: [runner.users for runner in master.status.runners] == [2, 2], "users", agent)
    (died,) = master.seen(report_pb2.WORKER_EVENT_KIND_RUNNER_DIED)
    assert (died.slot, "SIGKILL" in died.text) == (1, True)
    assert died.maybe_lost_ms > 0
    assert master.status.runners[1].restarts == 1
    await drain(master, agent)


async def test_runners_die_with_their_agent(
    master: FakeMaster, target: Target, start_agent: StartAgent
) -> None:
    """Whatever kills the agent: no load generator without somebody who can stop it."""
    agent = start_agent(master.port)
    await prepare(master, target, agent)
    await run_some(master, agent)
    runners = children_of(agent.pid)
    assert len(runners) == 2
    agent.send_signal(signal.SIGKILL)
    assert_no_processes(runners)


async def test_agent_loads_new_code_in_new_runners(
    master: FakeMaster, target: Target, start_agent: StartAgent
) -> None:
    """An edited locustfile, started again, reaches workers that stayed."""
    agent = start_agent(master.port, runners=1)
    await prepare(master, target, agent)
    first = master.status.runners[0].pid
    edited = LOCUSTFILE.replace("Visitor", "Newcomer")
    generation = master.assign(PREPARE, bundle=master.bundle(locustfile=edited, paths='ROOT = "/"'))
    await until(lambda: master.status.observed_generation == generation, "prepared again", agent)
    assert master.status.runners[0].pid != first
    generation = master.run_users(1, user_class="Newcomer")
    await until(lambda: master.status.observed_generation == generation, "users run", agent)
    assert len(master.registered) == 1
    await drain(master, agent)


async def test_agent_ends_a_run_at_its_deadline_without_a_word_of_the_master(
    master: FakeMaster, target: Target, start_agent: StartAgent
) -> None:
    """A run time is kept even when nobody is there to say that it is over."""
    agent = start_agent(master.port)
    await prepare(master, target, agent)
    master.run_users(4, deadline_us=1_500_000)
    await until(lambda: any(books.model.is_final for books in master.books.values()), "final", agent)
    await until(lambda: master.running == 0, "no users", agent)
    assert sum(master.requests().values()) > 0
    assert_counts_agree(master, target)


MANY_NAMES = """
from locust import User, constant, task

class Visitor(User):
    wait_time = constant(0.001)

    @task
    def visit(self):
        for number in range(1500):
            self.environment.events.request.fire(
                request_type="GET", name=f"/a/long/path/to/make/the/report/large/{number}",
                response_time=number, response_length=0, exception=None, context={},
            )
"""


async def test_agent_sends_smaller_reports_when_one_is_refused_as_too_large(start_agent: StartAgent) -> None:
    """Never the same one again; nothing is lost, nothing counted twice."""
    master = FakeMaster()
    await master.start(max_message_bytes=50_000)
    try:
        agent = start_agent(master.port, runners=1)
        master.run_users(1, bundle=master.bundle(locustfile=MANY_NAMES))
        await until(lambda: len(master.requests()) == 1500, "all names", agent)
        assert len(master.registered) > 1
        await drain(master, agent)
        requests = master.requests()
        assert max(requests.values()) - min(requests.values()) <= 1
        assert agent.exit_code is None
    finally:
        await master.stop()
