"""The command `locust-tui`: flags, then either one snapshot as text or the screens.

Imports what draws and what calls only after it has said whom it connects to, so that something stands on
the terminal at once.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from locust_protocol.addresses import join_address
from locust_protocol.process.access_flags import access_terms
from locust_protocol.process.command_line import parse_flags
from locust_protocol.process.errors import UsageError
from locust_protocol.process.exit_codes import ExitCode
from locust_protocol.process.flag_tables import tui_parser
from locust_protocol.process.logs import Role, configure_logging
from locust_protocol.process.run_command import run_command
from locust_protocol.security.access import find_access
from locust_protocol.security.access_terms import AccessTerms
from locust_protocol.security.asking import ask_token, ask_token_if_possible
from locust_protocol.security.join_token import JoinToken
from locust_protocol.security.roles import AccessRole
from locust_protocol.security.server_certificate import NoConnection

if TYPE_CHECKING:
    from locust_protocol.v1.snapshot_pb2 import Snapshot
    from locust_tui.session import Session

LOOK_TIMEOUT_S = 1.0
"""Seconds that the screen waits to see whom it is to trust; a master that is slower is asked again."""

ONCE_TIMEOUT_S = 10.0
"""Seconds that `--once` waits for a master."""

TO_EMPTY_LINE = "\r\x1b[K"
"""Back to the start of the line, and what stood on it erased."""

MIN_TEXT_CELLS = 120
"""Cells of a line of `--once` at least: a pipe has no width, and a log is read on wider screens."""


def main() -> None:
    """Runs the command and exits."""
    run_command(tui_main, prog="locust-tui")


def tui_main(argv: list[str]) -> int:
    """Runs the command and returns its exit code; raises OperatorError for what a person can put right."""
    values = parse_flags(tui_parser(), argv, env=os.environ).values
    configure_logging(values.loglevel, values.logfile, role=Role.TUI)
    target = join_address(values.master_host, values.master_port)
    terms = access_terms(values, AccessRole.CONTROL)
    if values.once:
        return _print_once(target, terms)
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise UsageError("locust-tui needs a terminal", remedy="use --once for one snapshot as text")
    return _show_screens(target, terms)


def _print_once(target: str, terms: AccessTerms) -> int:
    from locust_tui.once import snapshot_text

    width = max(MIN_TEXT_CELLS, shutil.get_terminal_size((MIN_TEXT_CELLS, 24)).columns)
    print(snapshot_text(asyncio.run(_fetch(target, terms)), target=target, width=width), end="")
    return ExitCode.OK


async def _fetch(target: str, terms: AccessTerms) -> Snapshot:
    from locust_protocol.channels import MasterChannel
    from locust_tui.client import MasterClient, actor_name

    channel = MasterChannel(target, terms, ask=ask_token_if_possible())
    client = MasterClient(channel, actor=actor_name())
    try:
        return await client.fetch_snapshot(timeout_s=ONCE_TIMEOUT_S)
    finally:
        await client.close()


def _show_screens(target: str, terms: AccessTerms) -> int:
    print(f"connecting to {target}", end="", flush=True)
    asyncio.run(_get_in(target, terms))
    from locust_tui.app import LocustTui

    app = LocustTui(target, terms)
    app.run()
    print(f"{TO_EMPTY_LINE}{_farewell(app.session)}")
    return app.return_code or ExitCode.OK


async def _get_in(target: str, terms: AccessTerms) -> None:
    """Asks for a token that is wanted, and raises `OperatorError` where there is no way in.

    While the screen stands nobody can be asked. Where nobody answers yet, the screen waits.
    """

    async def ask(target: str) -> JoinToken:
        print(TO_EMPTY_LINE, end="", flush=True)
        return await ask_token(target)

    with suppress(NoConnection):
        await find_access(target, terms, ask=ask, timeout_s=LOOK_TIMEOUT_S)


def _farewell(session: Session) -> str:
    from locust_tui.formats import counted

    if not session.picture.is_moving:
        return f"left {session.target}"
    host, _, port = session.target.rpartition(":")
    back = f"locust-tui --master-host {host.strip('[]')} --master-port {port}"
    return f"left; the run goes on with {counted(session.picture.run.users, 'user')}\nback to it: {back}"
