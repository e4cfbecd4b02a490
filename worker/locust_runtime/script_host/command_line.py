"""Parses a master's command line with the arguments that the locustfile adds.

The environment and the config files are those of the place where the master was started: relative paths
count from there, and not from the locustfile's folder, which is where this process works.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stdout

from locust_protocol.process.command_line import parse_flags
from locust_protocol.process.errors import UsageError
from locust_protocol.process.exit_codes import ExitCode
from locust_protocol.process.flag_parser import FlagParser
from locust_protocol.process.flag_tables import run_parser, runner_parser
from locust_protocol.runner.v1.link_pb2 import CommandLine, ParseCommandLine
from locust_runtime.loader import LocustfileError, reporting_errors
from locust_runtime.locustfile_events import events
from locust_runtime.script_host.arguments import secret_messages, split_arguments


def parse_command_line(order: ParseCommandLine, *, start_directory: str, file: str) -> CommandLine:
    """Return the help text, or what is wrong, or the parts of the command line.

    `file` is named where user code fails: then `LocustfileError` is raised.
    """
    parser = run_parser()
    if order.program and order.program != parser.prog:
        parser.usage = str(parser.usage).replace(parser.prog, order.program, 1)
        parser.prog = order.program
    add_custom_arguments(parser, file=file)
    if order.help:
        return CommandLine(help=parser.format_help())
    printed = io.StringIO()
    try:
        with _unwrapped_errors(file), chdir(start_directory), redirect_stdout(printed):
            parsed = parse_flags(parser, list(order.arguments), env=os.environ)
            split = split_arguments(parser, parsed.values)
    except UsageError as error:
        return CommandLine(error=str(error), exit_code=int(error.exit_code))
    except SystemExit as end:
        return _ended_by_user_code(end, printed.getvalue())
    return CommandLine(
        arguments=split.arguments,
        secrets=secret_messages(split),
        core_arguments=split.core_arguments,
    )


def add_custom_arguments(parser: FlagParser, *, file: str) -> None:
    """Let the locustfile's listeners add theirs. Raises `LocustfileError` for one that raises."""
    for listener in list(events.init_command_line_parser._handlers):
        with reporting_errors(file):
            listener(parser=parser)


def custom_argument_parser(*, file: str) -> FlagParser:
    """Return a parser that knows the locustfile's arguments, to describe them."""
    parser = runner_parser()
    add_custom_arguments(parser, file=file)
    return parser


@contextmanager
def _unwrapped_errors(file: str) -> Iterator[None]:
    """Let through what a parser raises on purpose; what else comes out of it is user code's."""
    try:
        with reporting_errors(file):
            yield
    except LocustfileError as error:
        if isinstance(error.__cause__, UsageError | SystemExit):
            raise error.__cause__ from None
        raise


def _ended_by_user_code(end: SystemExit, printed: str) -> CommandLine:
    """An argument that prints something and exits, as --version does."""
    if not end.code:
        return CommandLine(help=printed or "\n")
    text = end.code if isinstance(end.code, str) else f"an argument of the locustfile exits with {end.code}"
    code = end.code if isinstance(end.code, int) else int(ExitCode.USAGE)
    return CommandLine(error=" ".join(text.split()), exit_code=code)
