"""A real runner process: how it starts, what it says when it cannot, and that nothing outlives its agent."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from locust_protocol.framing import MAX_FRAME_BYTES
from locust_protocol.process.exit_codes import ExitCode
from locust_protocol.v1.assignment_pb2 import Phase, RunSettings
from tests.runtime.run.runner_driver import DEADLINE_S, RunnerDriver
from tests.support.processes import is_alive
from tests.support.wait import wait_until

Write = Callable[[str], Path]

BUSY = """
    import re, sys, time
    from pathlib import Path
    from locust import User, events, task

    @events.init.add_listener
    def init(environment, **_):
        import logging
        logging.info("modules %s", sorted(name for name in sys.modules if name.partition(".")[0] == "grpc"))

    class Idle(User):
        @task
        def rest(self):
            Path("started").touch()
            time.sleep(1000)

    class Busy(User):
        @task
        def block(self):
            Path("started").touch()
            until = time.monotonic() + 1000
            while time.monotonic() < until:
                pass  # the line that blocks

    class Deaf(User):
        @task
        def backtrack(self):
            Path("started").touch()
            re.match("(a+)+$", "a" * 60 + "b")
"""

GONE_DEADLINE_S = 5.0
"""A runner is gone one second after its agent, and a machine may stand still meanwhile; the lease, which ends
its users otherwise, is longer."""


def start(runner: RunnerDriver, folder: Path, user_class: str) -> None:
    runner.load(folder)
    runner.wait_for_frame("loaded")
    runner.start_clock()
    runner.target(Phase.PHASE_RUN, {user_class: 1})
    wait_until((folder / "started").exists, deadline_s=DEADLINE_S, describe="the user's task")


def test_runner_never_imports_grpc(runner: RunnerDriver, locustfile: Write) -> None:
    """Law 1, asked of a live process."""
    runner.load(locustfile(BUSY))
    runner.wait_for(lambda: any(text.startswith("modules") for text in runner.log_texts()), "the module set")
    assert "modules []" in runner.log_texts()


def test_runner_answers_pings_while_user_code_blocks_and_names_the_line(
    runner: RunnerDriver, locustfile: Write
) -> None:
    """The agent must be able to say which line of whose code it is."""
    folder = locustfile(BUSY)
    start(runner, folder, "Busy")

    lines = (folder / "locustfile.py").read_text().splitlines()
    loop = next(number for number, line in enumerate(lines, start=1) if "while time.monotonic()" in line)

    def answer() -> bool:
        runner.ping(len(runner.frames("pong")) + 1)
        places = {each.blocked_at for each in runner.frames("pong") if each.blocked_us > 250_000}
        return not places.isdisjoint({f"locustfile.py:{loop}", f"locustfile.py:{loop + 1}"})

    runner.wait_for(answer, "a pong of a blocked loop")


def test_runner_answers_pings_with_nothing_to_say_when_its_loop_runs(
    runner: RunnerDriver, locustfile: Write
) -> None:
    """Each ping is answered under its own number; a loop that was not let run for a moment is named."""
    start(runner, locustfile(BUSY), "Idle")
    runner.wait_for(lambda: runner.users() == {"Idle": 1}, "the user")
    numbers = itertools.count(7)

    def has_nothing_to_say() -> bool:
        runner.ping(next(numbers))
        return any(not each.blocked_us for each in runner.frames("pong"))

    runner.wait_for(has_nothing_to_say, "a pong of a loop that runs")
    pongs = runner.frames("pong")
    assert [each.id for each in pongs] == list(range(7, 7 + len(pongs)))
    assert all(bool(each.blocked_at) == bool(each.blocked_us) for each in pongs)


@pytest.mark.parametrize("user_class", ["Idle", "Busy"])
def test_runner_ends_when_the_link_is_closed(
    runner: RunnerDriver, locustfile: Write, user_class: str
) -> None:
    """Whatever its users do; here without the kernel's help, as the parent lives on."""
    start(runner, locustfile(BUSY), user_class)
    runner._socket.close()
    assert runner.process.wait(GONE_DEADLINE_S) == ExitCode.DEGRADED


PARENT = """
import sys, time
from pathlib import Path
from tests.runtime.run.runner_driver import RunnerDriver
from tests.runtime.run.test_runner_life import start
runner = RunnerDriver().__enter__()
start(runner, Path(sys.argv[1]), sys.argv[2])
print(runner.process.pid, flush=True)
time.sleep(100)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux's kernel ends such a process")
@pytest.mark.parametrize("user_class", ["Idle", "Busy", "Deaf"])
def test_runner_is_gone_when_its_parent_is_killed(locustfile: Write, user_class: str) -> None:
    """Whatever kills the agent, and even while C code holds the interpreter."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(locustfile(BUSY)), user_class],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        pid = int(_line(parent.stdout))
        parent.send_signal(signal.SIGKILL)
        wait_until(lambda: not is_alive(pid), deadline_s=GONE_DEADLINE_S, describe="the runner's end")
    finally:
        parent.kill()
        parent.wait()
        assert parent.stdout is not None
        parent.stdout.close()


def test_runner_does_not_start_when_its_parent_is_gone_already(tmp_path: Path) -> None:
    """The kernel tells of no death that happened before it was asked to."""
    text = (
        "import os, socket, subprocess, sys\n"
        "ours, theirs = socket.socketpair()\n"
        "os.set_inheritable(theirs.fileno(), True)\n"
        # A process between the maker of the link and the runner: not the parent, as after a death.
        "command = f'{sys.executable} -m locust_runtime --link-fd {theirs.fileno()}; exit $?'\n"
        "sys.exit(subprocess.call(['sh', '-c', command], close_fds=False))\n"
    )
    finished = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60)
    assert finished.returncode == ExitCode.DEGRADED
    assert "the link was made by process" in finished.stderr


def test_runner_ends_when_the_stream_makes_no_sense(runner: RunnerDriver) -> None:
    """A length over the limit: there is no next frame to find in such a stream."""
    runner.send_raw((MAX_FRAME_BYTES + 1).to_bytes(4, "big"))
    assert runner.wait_for_exit() == ExitCode.DEGRADED


def test_runner_drops_half_a_frame_when_the_link_is_closed_in_the_middle(runner: RunnerDriver) -> None:
    """An agent may be killed while it writes."""
    runner.send_raw(b"\0\0\0\x50half")
    runner._socket.close()
    assert runner.process.wait(DEADLINE_S) == ExitCode.DEGRADED
    assert "Traceback" not in runner.stderr()


@pytest.mark.parametrize(
    ("text", "arguments", "file", "line", "message"),
    [
        ("x = 1\nraise ValueError('bad')\n", (), "locustfile.py", 2, "ValueError: bad"),
        ("x = 1\n", (), "locustfile.py", 0, "there is no User class in it"),
        (
            "from locust import User, events\nclass A(User): ...\n"
            "@events.init.add_listener\ndef init(**_):\n    {}['key']\n",
            (),
            "locustfile.py",
            5,
            "KeyError: 'key'",
        ),
        (
            "from locust import User\nclass A(User): ...\n",
            ("--wat",),
            "locustfile.py",
            0,
            "unknown option --wat",
        ),
        ("import locust.nope\n", (), "locustfile.py", 1, "ModuleNotFoundError: locust.nope has no"),
    ],
    ids=["raises", "no user class", "init raises", "argument", "unknown module of locust"],
)
def test_runner_says_what_is_wrong_with_a_locustfile_and_ends(
    runner: RunnerDriver,
    tmp_path: Path,
    text: str,
    arguments: tuple[str, ...],
    file: str,
    line: int,
    message: str,
) -> None:
    """Its author is on another machine."""
    (tmp_path / "locustfile.py").write_text(text)
    runner.load(tmp_path, settings=RunSettings(arguments=arguments))
    failed = runner.wait_for_frame("load_failed")
    assert (failed.file, failed.line) == (file, line)
    assert failed.message.startswith(message)
    assert runner.wait_for_exit() == ExitCode.USAGE


def test_runner_closes_the_link_in_programs_that_user_code_starts(
    runner: RunnerDriver, locustfile: Write
) -> None:
    """A daemon that held it open would hide the runner's death from the agent."""
    text = """
        import logging, os, subprocess
        from locust import User

        child = subprocess.Popen(["sleep", "100"], close_fds=False)
        logging.info("child %s", child.pid)

        class A(User): ...
    """
    runner.load(locustfile(text))
    runner.wait_for(lambda: any(each.startswith("child") for each in runner.log_texts()), "the child's pid")
    child = int(next(each for each in runner.log_texts() if each.startswith("child")).split()[1])
    try:
        runner.process.kill()
        assert runner.wait_for_exit() == -signal.SIGKILL
    finally:
        os.kill(child, signal.SIGKILL)


def test_runner_ends_after_quit_when_threads_of_user_code_go_on(
    runner: RunnerDriver, locustfile: Write
) -> None:
    """No orphan: the interpreter would wait for such a thread for ever."""
    text = """
        import threading, time
        from locust import User

        threading.Thread(target=time.sleep, args=(1000,)).start()

        class A(User): ...
    """
    runner.load(locustfile(text))
    runner.wait_for_frame("loaded")
    runner.quit()
    assert runner.wait_for_exit() == 0
    assert len(runner.frames("quitting")) == 1


def test_runner_looks_for_modules_in_the_folder_of_the_locustfile_only(
    runner: RunnerDriver, locustfile: Write
) -> None:
    """A module that lies where the agent was started must not hide that the bundle lacks it."""
    runner.load(locustfile("import conftest_of_the_agent\n"))
    failed = runner.wait_for_frame("load_failed")
    assert "conftest_of_the_agent" in failed.message


def _line(stream: IO[bytes] | None) -> str:
    assert stream is not None
    return stream.readline().decode()
