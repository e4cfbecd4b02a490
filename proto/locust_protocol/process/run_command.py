"""The shell around every command: turns what ended it into a line on stderr and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from locust_protocol.process.errors import OperatorError
from locust_protocol.process.exit_codes import ExitCode

Main = Callable[[list[str]], int]
"""A command: takes the arguments without the program's name, returns the exit code."""


def run_command(main: Main, *, prog: str) -> NoReturn:
    """Run a command on the process's own arguments and exit with what it came to."""
    sys.exit(exit_code_of(main, sys.argv[1:], prog=prog))


def exit_code_of(main: Main, argv: Sequence[str], *, prog: str) -> int:
    """Run a command and return its exit code, with at most one line on stderr about why.

    An `OperatorError` is printed and gives its own code; an interrupt that the command did not take for
    an orderly end gives 130; a reader of our output that has gone is no news to anyone who could read
    it. Everything else is a bug of ours and goes through with its traceback.
    """
    try:
        code = _code_after_output(main, argv)
    except OperatorError as error:
        print(f"{prog}: error: {error}", file=sys.stderr)
        return int(error.exit_code)
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED_TWICE)
    except BrokenPipeError:
        _discard_stdout()
        return int(ExitCode.OUTPUT)
    return code


def _code_after_output(main: Main, argv: Sequence[str]) -> int:
    """Run the command and write out what it printed: a reader that has gone shows here, not at exit."""
    try:
        code = main(list(argv))
    except SystemExit:
        # --help and --version end this way; that nobody read them to the end is no failure.
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            _discard_stdout()
        raise
    sys.stdout.flush()
    return code


def _discard_stdout() -> None:
    """Keep the interpreter from flushing to the broken pipe at exit, which would print a traceback."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
