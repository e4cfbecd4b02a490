"""What `Command` promises: output without threads, and no process after the block."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.processes import MARK, Command, assert_no_processes, children_of, is_alive
from tests.support.wait import wait_until

DEADLINE_S = 60.0

SLEEPER = "import time; print('up', flush=True); time.sleep(60)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + SLEEPER
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPER!r}]);" + SLEEPER
RUNAWAY = (
    "import subprocess, sys;"
    f"subprocess.Popen([sys.executable, '-c', {SLEEPER!r}], start_new_session=True);"
    "print('gone', flush=True)"
)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_command_gives_the_line_it_was_asked_to_wait_for() -> None:
    """Tests read ports and addresses from such lines."""
    with Command(python("print('port 8089'); print('more')")) as command:
        assert command.wait_for_line(r"port (\d+)", deadline_s=DEADLINE_S)[1] == "8089"
        assert command.wait_for_exit(deadline_s=DEADLINE_S) == 0
        assert command.output() == "port 8089\nmore\n"


def test_command_finds_lines_on_standard_error_too() -> None:
    """Which stream a message goes to is another test's business."""
    with Command(python("import sys; print('careful', file=sys.stderr)")) as command:
        command.wait_for_line("careful", deadline_s=DEADLINE_S)
        assert (command.stdout(), command.stderr()) == ("", "careful\n")


def test_command_fails_at_once_when_it_ends_without_the_line() -> None:
    """Waiting out the deadline for a dead process helps nobody; its words do."""
    expected = pytest.raises(AssertionError, match=r"(?s)without the line 'up'.*exit_code=3.*sorry")
    with Command(python("print('sorry'); raise SystemExit(3)")) as command, expected:
        command.wait_for_line("up", deadline_s=600)


def test_command_shows_its_output_when_the_block_fails() -> None:
    """The reason of a failure usually stands in what the process wrote."""

    def fail() -> None:
        with Command(python("print('clue')")) as command:
            command.wait_for_exit(deadline_s=DEADLINE_S)
            raise LookupError

    with pytest.raises(LookupError) as failure:
        fail()
    assert any("clue" in note for note in failure.value.__notes__)


def test_command_is_ended_when_the_block_ends() -> None:
    """No process outlives its test."""
    with Command(python(SLEEPER)) as command:
        command.wait_for_line("up", deadline_s=DEADLINE_S)
    assert command.exit_code == -signal.SIGTERM
    assert command.output() == "up\n"


def test_command_is_killed_when_it_ignores_the_request_to_stop() -> None:
    """Even a process that does not listen ends."""
    with Command(python(DEAF)) as command:
        command.wait_for_line("up", deadline_s=DEADLINE_S)
        assert command.stop(deadline_s=0.1) == -signal.SIGKILL


def test_command_passes_signals_on_to_itself_only() -> None:
    """Tests of a parent's death need its children to live until they notice by themselves."""
    with Command(python(PARENT)) as command:
        (child,) = wait_until(lambda: children_of(command.pid), deadline_s=DEADLINE_S, describe="a child")
        command.send_signal(signal.SIGKILL)
        command.wait_for_exit(deadline_s=DEADLINE_S)
        assert is_alive(child)
        assert command.processes() == [child]
    assert_no_processes([child])


def test_command_ends_strays_that_left_its_session() -> None:
    """A daemon that a command left behind is adopted by init, yet it still carries the mark."""
    with Command(python(RUNAWAY)) as command:
        command.wait_for_exit(deadline_s=DEADLINE_S)
        strays = command.processes()
        assert len(strays) == 1
    assert_no_processes(strays)


def test_command_adds_and_removes_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own settings must be removable, or they change results."""
    monkeypatch.setenv("UNWANTED", "1")
    code = f"import os; print(os.environ.get('WANTED'), 'UNWANTED' in os.environ, {MARK!r} in os.environ)"
    with Command(python(code), environment={"WANTED": "yes", "UNWANTED": None}) as command:
        command.wait_for_line("^yes False True$", deadline_s=DEADLINE_S)


def test_command_removes_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test leaves no file."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Command(python("pass")):
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())


def test_assert_no_processes_names_those_that_live() -> None:
    """Which process was left is the first question."""
    with Command(python(SLEEPER)) as command:
        command.wait_for_line("up", deadline_s=DEADLINE_S)
        with pytest.raises(AssertionError, match=rf"{command.pid} .*time\.sleep"):
            assert_no_processes([command.pid], deadline_s=0)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_free_port_is_a_port(host: str) -> None:
    """Both loopbacks, since both are tested against."""
    assert 1024 <= free_port(host) <= 65535
