"""The shell around a command: exit code and at most one line, as a process shows them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from locust_protocol.process.errors import DegradedError, OutputError, UsageError
from locust_protocol.process.run_command import exit_code_of

PROGRAM = """
import sys
from locust_protocol.process.run_command import run_command
from locust_protocol.process.flag_tables import run_parser
from locust_protocol.process.command_line import parse_flags

def main(argv):
    parse_flags(run_parser(), argv, env={})
    for _ in range(100_000):
        print("a line of output")
    return 4

run_command(main, prog="locust-master")
"""


def raising(error: BaseException):  # type: ignore[no-untyped-def]
    def main(argv: list[str]) -> int:
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "code"), [(UsageError("bad"), 2), (DegradedError("bad"), 3), (OutputError("bad"), 5)]
)
def test_operator_error_becomes_one_line_and_its_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a person can put right needs no traceback."""
    assert exit_code_of(raising(error), [], prog="locust-x") == code
    assert capsys.readouterr().err == "locust-x: error: bad\n"


def test_interrupt_ends_with_130_and_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that is interrupted before it can take the interrupt for an end."""
    assert exit_code_of(raising(KeyboardInterrupt()), [], prog="locust-x") == 130
    assert capsys.readouterr().err == ""


def test_bug_of_ours_keeps_its_traceback() -> None:
    """Hiding it would hide the only trace of it."""
    with pytest.raises(ZeroDivisionError):
        exit_code_of(raising(ZeroDivisionError()), [], prog="locust-x")


def test_command_gets_its_arguments_and_gives_its_code() -> None:
    """The plain case."""
    assert exit_code_of(lambda argv: len(argv), ["a", "b"], prog="locust-x") == 2


def test_process_with_a_wrong_flag_prints_one_line_and_exits_2() -> None:
    """No usage dump: the line that matters must not scroll away."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "--userz", "5"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "locust-master: error: unknown option --userz; did you mean --users?\n"


@pytest.mark.parametrize(("argv", "code"), [([], 5), (["--help"], 0), (["--version"], 0)])
def test_process_whose_reader_goes_away_is_quiet(argv: list[str], code: int) -> None:
    """`locust-master --help | true` prints no traceback; only a result that is lost is a failure."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=30) == code
