"""Sets up logging for a command: one handler, on stderr or in a file, in the format of Locust's logs.

Libraries and locustfiles log through the standard `logging`; handlers that they install are left alone.
"""

from __future__ import annotations

import logging
import socket
import sys
from enum import Enum

from locust_protocol.process.errors import UsageError

_HANDLER_NAME = "locust-grpc"


class Role(Enum):
    """Which part of the system a process is."""

    MASTER = "master"
    WORKER = "worker"
    RUNNER = "runner"
    TUI = "tui"


def configure_logging(level: str, logfile: str | None, *, role: Role) -> None:
    """Log messages from `level` up to the file, or to stderr without one; calling it again replaces that.

    A terminal screen must never be written over: for `Role.TUI` a log without a file goes nowhere.
    Raises `UsageError` when the file cannot be opened.
    """
    handler = _handler(logfile, role)
    handler.set_name(_HANDLER_NAME)
    handler.setFormatter(log_formatter())
    root = logging.getLogger()
    for old in [each for each in root.handlers if each.get_name() == _HANDLER_NAME]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level.upper())


def log_formatter() -> logging.Formatter:
    """Return the format of every log line: `[2026-01-31 12:00:00,123] host/LEVEL/logger: message`."""
    host = socket.gethostname().replace("%", "%%")
    return logging.Formatter(f"[%(asctime)s] {host}/%(levelname)s/%(name)s: %(message)s")


def _handler(logfile: str | None, role: Role) -> logging.Handler:
    if logfile:
        try:
            return logging.FileHandler(logfile, encoding="utf-8")
        except OSError as error:
            raise UsageError(
                f"cannot write the log file {logfile}: {error.strerror or error}",
                remedy="choose another with --logfile",
            ) from error
    if role is Role.TUI:
        return logging.NullHandler()
    return logging.StreamHandler(sys.stderr)
