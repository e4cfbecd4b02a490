"""The screens as a person meets them: the real `locust-tui` on a terminal, a real master behind it."""

from __future__ import annotations

import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from locust_protocol.v1 import snapshot_pb2
from tests.support.cluster import BIN, START_DEADLINE_S, Cluster
from tests.support.ports import free_port
from tests.support.processes import Command
from tests.support.target import Target
from tests.support.terminal import END, ENTER, ERASE_LEFT, TAB, Terminal
from tests.support.wait import wait_until

pytestmark = pytest.mark.end_to_end

LOCUSTFILE = Path(__file__).parent / "locustfiles" / "three_classes.py"
TUI = BIN / "locust-tui"

SCREEN_DEADLINE_S = 60.0
"""Importing Textual and gRPC takes a second on an idle machine and many on a crowded one."""

SENTENCE_LIMIT_S = 5
"""What a person waits for a word about a master that is not there, by the clock of the screens."""

REPLACE = (END, ERASE_LEFT)
"""Empties a field, whatever stands in it."""

REQUESTS = r"Aggregated\s+([\d,]+)"


def tui_argv(port: int) -> list[str]:
    return [str(TUI), "--master-host", "127.0.0.1", "--master-port", str(port)]


@contextmanager
def swarm(folder: Path) -> Iterator[Cluster]:
    """A master, a worker and what they send load at."""
    with Target() as target, Cluster(folder, LOCUSTFILE, host=target.url) as cluster:
        yield cluster


def requests_shown(terminal: Terminal) -> int:
    return int(terminal.wait_for_text(REQUESTS, deadline_s=SCREEN_DEADLINE_S)[1].replace(",", ""))


def wait_more_requests(terminal: Terminal) -> None:
    """Waits until the screen shows more requests than it does now."""
    first = requests_shown(terminal)
    wait_until(
        lambda: requests_shown(terminal) > first,
        deadline_s=SCREEN_DEADLINE_S,
        describe=lambda: f"more than {first} requests on\n{terminal.text()}",
    )


def assert_restored(terminal: Terminal) -> None:
    """The shell behind the screens is as it was: its text, cursor, mouse and line editing."""
    assert not terminal.is_mode_set(1049), "the alternate screen was not left"
    assert not terminal.is_mode_set(1003), "the mouse is still reported"
    assert not terminal.is_mode_set(2004), "pasted text is still bracketed"
    assert b"\x1b[?1049h" in terminal.written()
    assert terminal.written().rfind(b"\x1b[?25h") > terminal.written().rfind(b"\x1b[?25l"), "no cursor"
    assert terminal.is_echoing()


def test_person_starts_edits_and_stops_a_run_and_leaves(tmp_path: Path) -> None:
    """What the screens are for, from the form to the shell."""
    with swarm(tmp_path) as cluster, Terminal(tui_argv(cluster.port)) as terminal:
        terminal.wait_for_text(r"1 worker ready · Enter starts", deadline_s=SCREEN_DEADLINE_S)
        terminal.type(*REPLACE, "6", TAB, *REPLACE, "20")
        terminal.wait_for_text(r"Users\s+6\s+Spawn rate\s+20\b", deadline_s=SCREEN_DEADLINE_S)
        terminal.type(ENTER)
        terminal.wait_for_text(r"^ RUNNING .* 6/6 users", deadline_s=SCREEN_DEADLINE_S)
        wait_more_requests(terminal)
        assert cluster.client.status().run.spawn_rate == 20

        terminal.type("e")
        terminal.wait_for_text(r"Edit the run", deadline_s=SCREEN_DEADLINE_S)
        terminal.type(*REPLACE, "9", ENTER)
        terminal.wait_for_no_text(r"Edit the run", deadline_s=SCREEN_DEADLINE_S)
        terminal.wait_for_text(r"^ RUNNING .* 9/9 users", deadline_s=SCREEN_DEADLINE_S)
        assert cluster.client.status().run.target_users == 9

        terminal.type("x")
        terminal.wait_for_text(r"Stop 9 users on 1 worker\?", deadline_s=SCREEN_DEADLINE_S)
        terminal.type("y")
        terminal.wait_for_text(r"^ STOPPED ", deadline_s=SCREEN_DEADLINE_S)
        assert cluster.client.status().run.state == snapshot_pb2.RUN_STATE_STOPPED

        terminal.type("q")
        assert terminal.wait_for_exit(deadline_s=SCREEN_DEADLINE_S) == 0
        assert_restored(terminal)


def test_leaving_the_screens_leaves_the_run_going(tmp_path: Path) -> None:
    """The run is the master's; who looks at it may come and go, and is told the way back."""
    with swarm(tmp_path) as cluster:
        cluster.client.start(users=6, spawn_rate=60)
        cluster.client.wait_users(6)
        with Terminal(tui_argv(cluster.port)) as terminal:
            wait_more_requests(terminal)
            terminal.type("q")
            assert terminal.wait_for_exit(deadline_s=SCREEN_DEADLINE_S) == 0
            terminal.wait_for_text(r"the run goes on with 6 users", deadline_s=SCREEN_DEADLINE_S)
            assert f"--master-port {cluster.port}" in terminal.text().replace("\n", "")
            assert_restored(terminal)
        before = cluster.client.snapshot().total.requests
        wait_until(
            lambda: cluster.client.snapshot().total.requests > before,
            deadline_s=SCREEN_DEADLINE_S,
            describe="more requests",
        )
        assert cluster.client.status().run.state == snapshot_pb2.RUN_STATE_RUNNING


def test_screens_say_stale_and_go_on_when_the_master_is_killed_and_comes_back(tmp_path: Path) -> None:
    """Old numbers are never shown as new ones, and nobody has to start the screens again."""
    with swarm(tmp_path) as cluster, Terminal(tui_argv(cluster.port)) as terminal:
        cluster.client.start(users=6, spawn_rate=60)
        terminal.wait_for_text(r"^ RUNNING .* 6/6 users", deadline_s=SCREEN_DEADLINE_S)
        wait_more_requests(terminal)

        cluster.master.stop(deadline_s=0)
        terminal.wait_for_text(r"^ STALE ", deadline_s=SCREEN_DEADLINE_S)
        terminal.wait_for_text(r"master lost \d+ s ago", deadline_s=SCREEN_DEADLINE_S)
        terminal.wait_for_text(REQUESTS, deadline_s=SCREEN_DEADLINE_S)

        with Command(cluster.master.argv, cwd=tmp_path, environment=cluster.environment) as again:
            again.wait_for_line(r"master listens on", deadline_s=START_DEADLINE_S)
            terminal.wait_for_no_text(r"^ STALE ", deadline_s=SCREEN_DEADLINE_S)
            terminal.wait_for_text(r"^ \w+ .* 1/1 w", deadline_s=SCREEN_DEADLINE_S)
            terminal.type("\x03")
            assert terminal.wait_for_exit(deadline_s=SCREEN_DEADLINE_S) == 0
            assert_restored(terminal)


def test_missing_master_is_said_with_the_remedy_within_5_s() -> None:
    """The most frequent mistake of a first hour, told as a sentence and not as an empty screen."""
    port = free_port()
    with Terminal(tui_argv(port)) as terminal:
        refused = rf"no master at 127\.0\.0\.1:{port} for (\d+) s: connection refused"
        terminal.wait_for_text(refused, deadline_s=SCREEN_DEADLINE_S)
        first = re.search(rb"for (\d+) s", terminal.written())
        assert first is not None
        assert int(first[1]) <= SENTENCE_LIMIT_S
        terminal.wait_for_text(r"start one there \(locust-master -f", deadline_s=SCREEN_DEADLINE_S)
        terminal.type("q")
        assert terminal.wait_for_exit(deadline_s=SCREEN_DEADLINE_S) == 0
        assert_restored(terminal)


def test_command_says_in_one_line_that_it_needs_a_terminal() -> None:
    """In a pipe or a job there is no screen to draw on: the answer is a sentence, exit code 2."""
    with Command(tui_argv(free_port())) as command:
        assert command.wait_for_exit(deadline_s=SCREEN_DEADLINE_S) == 2
        assert command.stdout() == ""
        (line,) = command.stderr().splitlines()
        assert "needs a terminal" in line
        assert "--once" in line


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_screens_come_and_go_inside_tmux(tmp_path: Path) -> None:
    """A terminal inside a terminal, where many people work: other capabilities, the same screens."""
    tmux = ["tmux", "-S", str(tmp_path / "tmux"), "-f", "/dev/null"]

    def run(*arguments: str) -> str:
        done = subprocess.run([*tmux, *arguments], check=True, capture_output=True, timeout=SCREEN_DEADLINE_S)
        return done.stdout.decode()

    def wait_for(text: str) -> None:
        wait_until(
            lambda: text in run("capture-pane", "-p"),
            deadline_s=SCREEN_DEADLINE_S,
            describe=lambda: f"{text!r} on\n{run('capture-pane', '-p')}",
        )

    port, goodbye = free_port(), uuid.uuid4().hex
    shell = f"{' '.join(tui_argv(port))}; echo {goodbye}; read wait"
    run("-u", "new-session", "-d", "-x", "80", "-y", "24", shell)
    try:
        wait_for("no master at")
        wait_for("q Leave")
        run("send-keys", "q")
        wait_for(goodbye)
        assert run("display-message", "-p", "#{alternate_on}").strip() == "0"
    finally:
        run("kill-server")
