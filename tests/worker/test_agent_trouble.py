"""What goes wrong on a worker is said in one sentence, and nothing is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from locust_protocol.v1 import assignment_pb2, master_service_pb2, report_pb2
from tests.support.ports import free_port
from tests.support.processes import Command, assert_no_processes, children_of
from tests.support.target import Target
from tests.support.wait import wait_until_async
from tests.worker.conftest import StartAgent
from tests.worker.fake_master import FakeMaster
from tests.worker.scenes import (
    DEADLINE_S,
    LOCUSTFILE,
    PREPARE,
    assert_ended,
    drain,
    prepare,
    run_some,
    until,
)

DIED = report_pb2.WORKER_EVENT_KIND_RUNNER_DIED


async def wait_for_exit(agent: Command) -> None:
    await until(lambda: agent.exit_code is not None, "exit", agent)


def requests_left_in(folder: Path) -> int:
    return int(json.loads(left_in(folder).read_text())["requests"])


def left_in(folder: Path) -> Path:
    (path,) = folder.glob("locust-worker-*.json")
    return path


@pytest.mark.parametrize(
    ("locustfile", "refusal"),
    [
        ("from locust import User\n\n1 / 0\n", "locustfile.py:3: "),
        ("import module_of_another_machine\n", "No module named 'module_of_another_machine' on host "),
    ],
)
async def test_agent_refuses_code_that_cannot_be_loaded(
    master: FakeMaster, start_agent: StartAgent, locustfile: str, refusal: str
) -> None:
    """The master learns file, line and message; a module that is missing, with the host it is missing on."""
    agent = start_agent(master.port)
    generation = master.assign(PREPARE, bundle=master.bundle(locustfile=locustfile))
    await until(lambda: master.status.refused_generation == generation, "refused", agent)
    assert refusal in master.status.refusal
    generation = master.assign(PREPARE, bundle=master.bundle(locustfile=LOCUSTFILE, paths='ROOT = "/"'))
    await until(lambda: master.status.observed_generation == generation, "prepared", agent)
    assert master.status.refusal == ""


async def test_late_failure_of_old_code_does_not_refuse_the_code_that_is_on_its_way(
    master: FakeMaster, start_agent: StartAgent, tmp_path: Path
) -> None:
    """Somebody mends a locustfile while one of many runners has not yet noticed that it is broken."""
    go = tmp_path / "go"
    broken = f"""
import os, time
try:
    os.close(os.open({str(tmp_path / "first")!r}, os.O_CREAT | os.O_EXCL))
except FileExistsError:
    while not os.path.exists({str(go)!r}):
        time.sleep(0.01)
1 / 0
"""
    agent = start_agent(master.port)
    generation = master.assign(PREPARE, bundle=master.bundle(locustfile=broken))
    await until(lambda: master.status.refused_generation == generation, "refused", agent)
    asked = len(master.bundle_offsets)
    master.breaks_bundles_after = 1
    generation = master.assign(PREPARE, bundle=master.bundle(locustfile=LOCUSTFILE, paths='ROOT = "/"'))
    await until(lambda: len(master.bundle_offsets) > asked, "the new code is asked for", agent)
    go.touch()
    await until(
        lambda: agent.find_line("not loaded slot=0") and agent.find_line("not loaded slot=1"), "", agent
    )
    master.breaks_bundles_after = None
    await until(lambda: master.status.observed_generation == generation, "prepared", agent)
    assert master.status.refusal == ""


async def test_agent_refuses_a_class_that_its_locustfile_lacks(
    master: FakeMaster, target: Target, start_agent: StartAgent
) -> None:
    """Not a user fewer without a word."""
    agent = start_agent(master.port, runners=1)
    await prepare(master, target, agent)
    generation = master.run_users(1, user_class="Ghost")
    await until(lambda: master.status.refused_generation == generation, "refused", agent)
    assert "Ghost" in master.status.refusal
    assert "Visitor" in master.status.refusal


async def test_agent_with_its_own_locustfile_tells_its_classes_and_uses_it(
    master: FakeMaster, target: Target, start_agent: StartAgent, tmp_path: Path
) -> None:
    """`-f` on a worker: nothing is fetched, and the master can compare before it admits."""
    (tmp_path / "mine.py").write_text(LOCUSTFILE)
    (tmp_path / "paths.py").write_text('ROOT = "/"')
    agent = start_agent(master.port, "-f", "mine.py")
    await until(lambda: bool(master.registered), "registered", agent)
    assert [each.name for each in master.registered[0].own_manifest.user_classes] == ["Visitor"]
    settings = assignment_pb2.RunSettings(host=target.url)
    generation = master.assign(PREPARE, settings=settings)
    await until(lambda: master.status.observed_generation == generation, "prepared", agent)
    await run_some(master, agent)
    await drain(master, agent)


@pytest.mark.parametrize(
    ("arguments", "text", "sentence"),
    [
        (("-f", "mine.py"), "\nraise ValueError('no data')", "mine.py:2: "),
        (("-f", "absent.py"), "", "no locustfile absent.py"),
        (("--processes", "0"), "", "--processes"),
    ],
)
async def test_agent_ends_with_one_line_when_its_command_line_cannot_work(
    start_agent: StartAgent, tmp_path: Path, arguments: tuple[str, ...], text: str, sentence: str
) -> None:
    """Exit code 2 and what to change."""
    (tmp_path / "mine.py").write_text(text)
    agent = start_agent(free_port(), *arguments)
    await wait_for_exit(agent)
    assert_ended(agent, 2)
    assert sentence in agent.stderr().splitlines()[-1]


async def test_agent_ends_with_the_masters_sentence_when_it_is_refused(
    master: FakeMaster, start_agent: StartAgent
) -> None:
    """Asking again would change nothing."""
    master.refusal = "worker agent has user classes A, the master has B"
    agent = start_agent(master.port)
    await wait_for_exit(agent)
    assert_ended(agent, 2)
    assert master.refusal in agent.stderr().splitlines()[-1]


async def test_agent_waits_for_a_master_that_comes_later(start_agent: StartAgent) -> None:
    """It says so once, keeps trying, and joins."""
    port = free_port()
    agent = start_agent(port)
    await until(lambda: agent.find_line(f"no answer from 127.0.0.1:{port}"), "a line", agent)
    master = FakeMaster()
    await master.start(port)
    try:
        await until(lambda: bool(master.registered), "registered", agent)
        agent.send_signal(signal.SIGINT)
        await wait_for_exit(agent)
        assert_ended(agent, 0)
    finally:
        await master.stop()


async def test_agent_gives_up_on_a_master_that_it_lost(
    master: FakeMaster, target: Target, start_agent: StartAgent
) -> None:
    """Exit code 3, users ended, runners gone."""
    agent = start_agent(master.port, "--reconnect-timeout", "2")
    await prepare(master, target, agent)
    await run_some(master, agent)
    await master.stop()
    await wait_for_exit(agent)
    assert_ended(agent, 3)
    assert "did not come back within 2 s" in agent.stderr()


async def test_agent_asked_to_end_while_its_master_is_away_leaves_its_samples_in_a_file(
    master: FakeMaster, target: Target, start_agent: StartAgent, tmp_path: Path
) -> None:
    """They were real requests: the exit code says that they are missing in the run, a line where they are."""
    agent = start_agent(master.port)
    await prepare(master, target, agent)
    await run_some(master, agent)
    await master.stop()
    already = target.total()
    await until(lambda: target.total() >= already + 50, "requests without a master", agent)
    agent.send_signal(signal.SIGTERM)
    await wait_for_exit(agent)
    assert_ended(agent, 3)
    assert requests_left_in(tmp_path) >= 50
    sentence = f"no master acknowledged its last reports: their samples are in {left_in(tmp_path)}"
    assert sentence in agent.stderr()


async def test_agent_told_to_stay_joins_the_next_master(start_agent: StartAgent, target: Target) -> None:
    """A fleet that stands by serves one master after another."""
    first, second = FakeMaster(), FakeMaster()
    second.epoch = 2
    await first.start()
    try:
        agent = start_agent(first.port, "--stay")
        await prepare(first, target, agent)
        await run_some(first, agent)
        first.command(master_leaving=master_service_pb2.MasterLeaving(reason="done"))
        await until(lambda: agent.find_line("waiting for the next one"), "a line", agent)
        await first.stop()
        await second.start(first.port)
        await until(lambda: bool(second.registered), "joined the second", agent)
        await prepare(second, target, agent)
        await run_some(second, agent)
        await drain(second, agent)
        assert target.total() >= 50
    finally:
        await first.stop()
        await second.stop()


async def test_agent_ends_at_once_on_a_second_interrupt(
    master: FakeMaster, target: Target, start_agent: StartAgent
) -> None:
    """A user that takes its time cannot hold the operator up."""
    slow = LOCUSTFILE + "        import gevent\n        gevent.sleep(600)\n"
    settings = assignment_pb2.RunSettings(host=target.url, stop_timeout_ms=600_000)
    agent = start_agent(master.port)
    bundle = master.bundle(locustfile=slow, paths='ROOT = "/"')
    generation = master.run_users(2, bundle=bundle, settings=settings)
    await until(lambda: master.status.observed_generation == generation, "users run", agent)
    agent.send_signal(signal.SIGINT)
    await until(lambda: master.status.state == report_pb2.WORKER_STATE_STOPPING, "stopping", agent)
    agent.send_signal(signal.SIGINT)
    await wait_for_exit(agent)
    assert_ended(agent, 130)


async def test_agent_answers_while_user_code_blocks_a_runner(
    master: FakeMaster, target: Target, start_agent: StartAgent
) -> None:
    """The worker is not lost because of its users; the line that blocks is named."""
    blocking = LOCUSTFILE + "        import time\n        end = time.monotonic() + 8\n"
    blocking += "        while time.monotonic() < end: pass\n"
    agent = start_agent(master.port, runners=1)
    bundle = master.bundle(locustfile=blocking, paths='ROOT = "/"')
    master.run_users(1, bundle=bundle, settings=assignment_pb2.RunSettings(host=target.url))
    await until(lambda: bool(master.seen(report_pb2.WORKER_EVENT_KIND_RUNNER_STALLED)), "stalled", agent)
    blocked_at: list[str] = []
    reports = master.reports

    def is_told_again_and_again() -> bool:
        (runner,) = master.status.runners
        if len(blocked_at) < master.reports - reports and runner.state == report_pb2.RUNNER_STATE_STALLED:
            blocked_at.append(runner.blocked_at)
        return len(blocked_at) >= 5

    await until(is_told_again_and_again, "reports go on", agent)
    assert all("locustfile.py:" in place for place in blocked_at), blocked_at
    assert "locustfile.py:" in master.seen(report_pb2.WORKER_EVENT_KIND_RUNNER_STALLED)[0].text
    recovered = report_pb2.WORKER_EVENT_KIND_RUNNER_RECOVERED
    await until(lambda: bool(master.seen(recovered)), "recovered", agent)


async def test_agent_gives_the_share_of_a_runner_that_keeps_dying_to_the_others(
    master: FakeMaster, target: Target, start_agent: StartAgent
) -> None:
    """Three crashes in a minute: left dead, and the load stays whole."""
    agent = start_agent(master.port)
    await prepare(master, target, agent)
    await run_some(master, agent)
    for deaths in range(1, 4):
        victim = master.status.runners[0].pid
        os.kill(victim, signal.SIGKILL)
        await until(lambda n=deaths: len(master.seen(DIED)) == n, "death", agent)  # type: ignore[misc]
        if deaths < 3:
            await until(
                lambda pid=victim: (
                    master.status.runners[0].pid not in (0, pid)  # type: ignore[misc]
                    and master.status.runners[0].users == 2
                ),
                "restart",
                agent,
            )
    await until(lambda: [each.users for each in master.status.runners] == [0, 4], "all on one", agent)
    assert master.status.runners[0].state == report_pb2.RUNNER_STATE_DEAD
    await drain(master, agent)


EMBEDDING_MASTER = """
import subprocess, sys, os
agent = subprocess.Popen(
    [sys.executable, "-m", "locust_worker.cli", "--master-port", sys.argv[1], "--processes", "1"],
    env={**os.environ, "LOCUST_WORKER_PARENT_DEATH": "1"}, start_new_session=True,
)
print(agent.pid, flush=True)
sys.stdin.read()
"""


async def test_embedded_agent_dies_with_its_master(
    master: FakeMaster, target: Target, tmp_path: Path
) -> None:
    """A master that was killed leaves neither agent nor runner."""
    parent = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", EMBEDDING_MASTER, str(master.port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
        env={**os.environ, "LOCUST_CACHE_DIR": str(tmp_path / "cache")},
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    try:
        agent_pid = int(await asyncio.to_thread(parent.stdout.readline))
        master.assign(PREPARE, bundle=master.bundle(locustfile=LOCUSTFILE, paths='ROOT = "/"'))
        await wait_until_async(
            lambda: master.status.observed_generation, deadline_s=DEADLINE_S, describe="prepared"
        )
        family = [agent_pid, *children_of(agent_pid)]
        assert len(family) == 2
    finally:
        parent.kill()
        parent.wait()
        parent.stdin.close()
        parent.stdout.close()
    assert_no_processes(family)
