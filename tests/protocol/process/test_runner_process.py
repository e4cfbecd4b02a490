"""The asyncio end of the link, against the real runner program in its own processes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from locust_protocol.process import runner_process as runner_process_module
from locust_protocol.process.runner_process import RunnerProcess
from locust_protocol.runner.v1 import link_pb2
from locust_protocol.v1 import assignment_pb2
from tests.support.processes import is_alive
from tests.support.wait import wait_until_async

DEADLINE_S = 30.0

LOCUSTFILE = """
import os
from locust import User, task

class A(User):
    @task
    def work(self): pass
"""

STARTS_A_DAEMON = (
    """
import os, subprocess, sys
from locust import User, task
link = int(sys.argv[sys.argv.index("--link-fd") + 1])
daemon = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"],
                          pass_fds=[link], start_new_session={own_session})
open("daemon.pid", "w").write(str(daemon.pid))
"""
    + LOCUSTFILE
)


@pytest.fixture
async def processes() -> AsyncIterator[list[RunnerProcess]]:
    """Ends whatever a test started, even when it failed."""
    started: list[RunnerProcess] = []
    yield started
    for process in started:
        process.kill()
        await process.wait_exit()
        await process.stop()


def load(folder: Path, source: str = LOCUSTFILE) -> link_pb2.ToRunner:
    (folder / "locustfile.py").write_text(source)
    return link_pb2.ToRunner(
        load=link_pb2.Load(
            role=link_pb2.RUNNER_ROLE_WORKER,
            directory=str(folder),
            locustfiles=["locustfile.py"],
            settings=assignment_pb2.RunSettings(),
            client_id="w_0",
            flush_interval_ms=100,
        )
    )


async def started(processes: list[RunnerProcess], **environment: str) -> RunnerProcess:
    process = await RunnerProcess.start(environment=environment)
    processes.append(process)
    return process


async def first_frame(process: RunnerProcess, kind: str) -> link_pb2.FromRunner:
    async with asyncio.timeout(DEADLINE_S):
        async for frame in process.frames():
            if frame.WhichOneof("frame") == kind:
                return frame
    raise AssertionError(f"the stream ended before {kind}; exit code {process.returncode}")


async def exit_of(process: RunnerProcess) -> int:
    async with asyncio.timeout(DEADLINE_S):
        return await process.wait_exit()


async def test_frames_go_both_ways(tmp_path: Path, processes: list[RunnerProcess]) -> None:
    """Load it, and it says what the locustfile offers."""
    process = await started(processes)
    process.send(load(tmp_path))
    loaded = (await first_frame(process, "loaded")).loaded
    assert loaded.pid == process.pid
    assert [each.name for each in loaded.manifest.user_classes] == ["A"]
    assert process.returncode is None


async def test_stop_ends_a_runner_that_listens(tmp_path: Path, processes: list[RunnerProcess]) -> None:
    """The closed link is enough: nobody has to be killed."""
    process = await started(processes)
    process.send(load(tmp_path))
    await first_frame(process, "loaded")
    async with asyncio.timeout(DEADLINE_S):
        code = await process.stop(grace_s=DEADLINE_S)
    assert code >= 0
    assert process.returncode == code
    assert not psutil.pid_exists(process.pid)


async def test_stop_kills_a_runner_that_does_not_end(tmp_path: Path, processes: list[RunnerProcess]) -> None:
    """User code that blocks, in C or at import, must hold nobody up."""
    process = await started(processes)
    blocks = "import os\nopen('at-import', 'w').close()\nwhile True: pass\n"
    process.send(load(tmp_path, blocks))
    await wait_until_async((tmp_path / "at-import").exists, deadline_s=DEADLINE_S, describe="it is imported")
    async with asyncio.timeout(DEADLINE_S):
        await process.stop(grace_s=0.01)
    assert not psutil.pid_exists(process.pid)


async def test_stop_may_be_called_again(tmp_path: Path, processes: list[RunnerProcess]) -> None:
    """Whoever ends first, the other finds it ended."""
    process = await started(processes)
    first = await process.stop()
    assert await process.stop() == first
    process.kill()


async def test_death_is_seen_by_exit_and_by_the_end_of_the_stream(processes: list[RunnerProcess]) -> None:
    """Both, whatever killed it; what is sent afterwards is nobody's error."""
    process = await started(processes)
    process.kill()
    assert await exit_of(process) == -9
    async with asyncio.timeout(DEADLINE_S):
        assert [frame async for frame in process.frames()] == []
    process.send(link_pb2.ToRunner(ping=link_pb2.Ping(id=1)))


@pytest.mark.parametrize("own_session", [False, True])
async def test_exit_is_told_while_a_child_of_user_code_holds_the_link(
    own_session: bool, tmp_path: Path, processes: list[RunnerProcess]
) -> None:
    """The end of the stream would never come: the truth is the exit."""
    process = await started(processes)
    process.send(load(tmp_path, STARTS_A_DAEMON.replace("{own_session}", str(own_session))))
    await first_frame(process, "loaded")
    daemon = psutil.Process(int((tmp_path / "daemon.pid").read_text()))
    try:
        os.kill(process.pid, 9)
        assert await exit_of(process) == -9
        assert daemon.is_running()
    finally:
        daemon.kill()
        daemon.wait(DEADLINE_S)


@pytest.mark.parametrize("way", ["kill", "stop"])
async def test_end_takes_what_user_code_started_along(
    way: str, tmp_path: Path, processes: list[RunnerProcess]
) -> None:
    """No orphan stays behind in the runner's group."""
    process = await started(processes)
    process.send(load(tmp_path, STARTS_A_DAEMON.replace("{own_session}", "False")))
    await first_frame(process, "loaded")
    child = int((tmp_path / "daemon.pid").read_text())
    assert is_alive(child)
    if way == "kill":
        process.kill()
        assert await exit_of(process) == -9
    else:
        assert await process.stop(grace_s=DEADLINE_S) >= 0
    await wait_until_async(lambda: not is_alive(child), deadline_s=DEADLINE_S, describe="its child is gone")
    assert not is_alive(process.pid)


async def test_runner_has_a_session_of_its_own(processes: list[RunnerProcess]) -> None:
    """Ctrl-C at the terminal is for the commands, not for their runners."""
    process = await started(processes)
    assert os.getsid(process.pid) == process.pid != os.getsid(0)


async def test_secrets_of_this_process_do_not_reach_user_code(
    monkeypatch: pytest.MonkeyPatch, processes: list[RunnerProcess]
) -> None:
    """The token opens the control service; what is given on purpose arrives."""
    monkeypatch.setenv("LOCUST_TOKEN", "s3cret")
    process = await started(processes, TENANT="a")
    seen = psutil.Process(process.pid).environ()
    assert "LOCUST_TOKEN" not in seen
    assert seen["TENANT"] == "a"
    assert seen["PATH"] == os.environ["PATH"]


async def test_runner_that_does_not_read_is_killed_before_it_fills_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: list[RunnerProcess]
) -> None:
    """What waits for it is bounded; a runner that is stopped or broken is ended, and that is seen."""
    monkeypatch.setattr(runner_process_module, "MAX_UNSENT_BYTES", 1 << 20)
    process = await started(processes)
    psutil.Process(process.pid).suspend()
    frame = link_pb2.ToRunner(load=link_pb2.Load(directory="x" * (1 << 20)))
    for _ in range(20):
        process.send(frame)
    assert await exit_of(process) == -9


async def test_start_leaves_no_descriptor_behind(processes: list[RunnerProcess]) -> None:
    """A runner may be restarted for days; the first one brings what asyncio keeps open for all of them."""

    async def descriptors_after_one_more() -> int:
        process = await started(processes)
        await process.stop()
        return psutil.Process().num_fds()

    before = await descriptors_after_one_more()
    for _ in range(3):
        await descriptors_after_one_more()
    await wait_until_async(
        lambda: psutil.Process().num_fds() <= before,
        deadline_s=DEADLINE_S,
        describe=lambda: f"descriptors {psutil.Process().num_fds()}, were {before}",
    )
    assert [process.returncode is not None for process in processes] == [True] * 4
