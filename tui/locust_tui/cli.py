"""The command `locust-tui`: flags, then either one snapshot as text or the screens.

Imports what draws and what calls only after it has said whom it connects to, so that something stands on
the terminal at once.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from typing import TYPE_CHECKING

from locust_protocol.addresses import join_address
from locust_protocol.process.command_line import parse_flags
from locust_protocol.process.errors import UsageError
from locust_protocol.process.exit_codes import ExitCode
from locust_protocol.process.flag_tables import tui_parser
from locust_protocol.process.logs import Role, configure_logging
from locust_protocol.process.run_command import run_command

if TYPE_CHECKING:
    from locust_protocol.v1.snapshot_pb2 import Snapshot
    from locust_tui.session import Session

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
    if values.once:
        return _print_once(target)
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise UsageError("locust-tui needs a terminal", remedy="use --once for one snapshot as text")
    return _show_screens(target)


def _print_once(target: str) -> int:
    from locust_tui.once import snapshot_text

    width = max(MIN_TEXT_CELLS, shutil.get_terminal_size((MIN_TEXT_CELLS, 24)).columns)
    print(snapshot_text(asyncio.run(_fetch(target)), target=target, width=width), end="")
    return ExitCode.OK


async def _fetch(target: str) -> Snapshot:
    from locust_tui.client import MasterClient, actor_name

    client = MasterClient(target, actor=actor_name())
    try:
        return await client.fetch_snapshot(timeout_s=ONCE_TIMEOUT_S)
    finally:
        await client.close()


def _show_screens(target: str) -> int:
    print(f"connecting to {target}", end="", flush=True)
    from locust_tui.app import LocustTui

    app = LocustTui(target)
    app.run()
    print(f"{TO_EMPTY_LINE}{_farewell(app.session)}")
    return app.return_code or ExitCode.OK


def _farewell(session: Session) -> str:
    from locust_tui.formats import counted

    if not session.picture.is_moving:
        return f"left {session.target}"
    host, _, port = session.target.rpartition(":")
    back = f"locust-tui --master-host {host.strip('[]')} --master-port {port}"
    return f"left; the run goes on with {counted(session.picture.run.users, 'user')}\nback to it: {back}"
