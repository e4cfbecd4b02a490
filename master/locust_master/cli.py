"""`locust-master`: from a command line to a running master.

The command line is read twice: a first look finds the locustfile, and says if the port is taken; then the
script host, which has loaded it, parses all of it with the arguments that the locustfile adds. So user code
never runs in this process. What serves is imported while the script host starts.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from locust_master.bundle import Bundle, gather
from locust_master.listening import check_port_is_free
from locust_master.script_host import LocustfileError, ScriptHost
from locust_master.settings import MasterSettings, locustfile_names, make_settings
from locust_protocol.process.command_line import parse_flags, parse_known_flags
from locust_protocol.process.errors import OperatorError, UsageError, first_error
from locust_protocol.process.flag_tables import first_look_parser, run_parser, runner_parser
from locust_protocol.process.logs import Role, configure_logging
from locust_protocol.process.open_files_limit import raise_descriptor_limit
from locust_protocol.process.run_command import run_command
from locust_protocol.runner.v1 import link_pb2

logger = logging.getLogger(__name__)

PROGRAM = "locust-master"

TOKEN_COMMAND = "token"


@dataclass(frozen=True, slots=True)
class FirstLook:
    """What the first look at the command line found."""

    bundle: Bundle
    arguments: list[str]
    wants_help: bool


def main() -> None:
    """Entry point of the command."""
    run_command(run, prog=PROGRAM)


def run(arguments: Sequence[str]) -> int:
    """Runs the master and returns its exit code. Raises `OperatorError`."""
    if arguments[:1] == [TOKEN_COMMAND]:
        from locust_master.token_command import run_token_command

        return run_token_command(arguments[1:])
    first = parse_known_flags(first_look_parser(), list(arguments), env=os.environ).values
    try:
        bundle = gather(locustfile_names(first.locustfile), extra_files=first.extra_files)
    except UsageError as error:
        if not first.help:
            raise
        return _print_core_help(str(error))
    if not (first.help or first.list_commands):
        check_port_is_free(first.master_bind_host, first.master_bind_port)
    raise_descriptor_limit()  # a worker holds a connection
    try:
        return asyncio.run(_run(FirstLook(bundle, list(arguments), bool(first.help))))
    except* OperatorError as group:
        raise first_error(group) from None


async def _run(first: FirstLook) -> int:
    async with asyncio.TaskGroup() as tasks:
        host = ScriptHost()
        await host.start(tasks)
        try:
            return await _parse_and_run(first, host, tasks)
        finally:
            host.kill()
    raise AssertionError("the body returns or raises")


async def _parse_and_run(first: FirstLook, host: ScriptHost, tasks: asyncio.TaskGroup) -> int:
    from locust_master.app import run_master

    try:
        command_line = await host.parse_command_line(
            first.bundle, first.arguments, program=PROGRAM, wants_help=first.wants_help
        )
    except LocustfileError as error:
        if not first.wants_help:
            raise
        return _print_core_help(str(error))
    if command_line.help or command_line.error:
        return _answer(command_line)
    settings, values = _settings(command_line)
    configure_logging(values.loglevel, values.logfile, role=Role.MASTER)
    for name in first.bundle.skipped:
        logger.warning("left out of the bundle: %s; add it with --extra-files", name)
    if values.list_commands:
        return await _list_classes(host, first.bundle, settings)
    return await run_master(settings, first.bundle, host, tasks)


def _settings(command_line: link_pb2.CommandLine) -> tuple[MasterSettings, argparse.Namespace]:
    parsed = parse_flags(runner_parser(), list(command_line.core_arguments), env={})
    for warning in parsed.warnings:
        print(f"{PROGRAM}: {warning}", file=sys.stderr)
    return make_settings(parsed, command_line), parsed.values


def _answer(command_line: link_pb2.CommandLine) -> int:
    if command_line.error:
        print(f"{PROGRAM}: error: {command_line.error}", file=sys.stderr)
        return command_line.exit_code
    print(command_line.help.rstrip())
    return 0


def _print_core_help(reason: str) -> int:
    print(run_parser().format_help().rstrip())
    print(f"\nCustom arguments not shown: {reason}")
    return 0


async def _list_classes(host: ScriptHost, bundle: Bundle, settings: MasterSettings) -> int:
    manifest = await host.load(bundle, settings.run_settings())
    print("Available Users:")
    for user_class in manifest.user_classes:
        print(f"    {user_class.name}")
    return 0


if __name__ == "__main__":
    main()
