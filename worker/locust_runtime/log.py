"""Logging inside a runner, and the flag that says whether user code failed where nobody waits for it.

The names are the ones that scripts import from `locust.log`.
"""

from __future__ import annotations

import logging
import logging.config
import os
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from gevent import Greenlet

KEPT_LOG_LINES: Final = 500
"""Lines of the log that a process keeps for those who ask later: a few screens, some 100 kB."""

HOSTNAME: Final = socket.gethostname().partition(".")[0]

unhandled_greenlet_exception = False
"""Whether a listener or a background greenlet raised: the process then must not exit with success."""


class LogReader(logging.Handler):
    """Keeps the last lines of the log."""

    def __init__(self) -> None:
        super().__init__()
        self.logs: deque[str] = deque(maxlen=KEPT_LOG_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        self.logs.append(self.format(record))


def setup_logging(loglevel: str, logfile: str | None = None) -> None:
    """Sends the log to stderr or to `logfile`, from `loglevel` (a name) up; replaces what was set."""
    if logfile and (folder := os.path.dirname(logfile)):
        os.makedirs(folder, exist_ok=True)
    target: dict[str, Any] = {"class": "logging.StreamHandler", "formatter": "default"}
    if logfile:
        target = {"class": "logging.FileHandler", "filename": logfile, "formatter": "default"}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "default": {"format": f"[%(asctime)s] {HOSTNAME}/%(levelname)s/%(name)s: %(message)s"}
            },
            "handlers": {
                "target": target,
                "log_reader": {"()": LogReader, "formatter": "default"},
            },
            "root": {"handlers": ["target", "log_reader"], "level": loglevel.upper()},
        }
    )


def get_logs() -> list[str]:
    """The last lines of the log, oldest first; empty before `setup_logging`."""
    return [
        line
        for handler in logging.getLogger().handlers
        if isinstance(handler, LogReader)
        for line in handler.logs
    ]


def note_unhandled_exception() -> None:
    """Remembers that user code failed where nobody waits for it."""
    global unhandled_greenlet_exception
    unhandled_greenlet_exception = True


def greenlet_exception_logger(
    logger: logging.Logger, level: int = logging.CRITICAL
) -> Callable[[Greenlet[..., Any]], None]:
    """A function for `Greenlet.link_exception` that logs what ended the greenlet, and remembers it."""

    def log_exception(greenlet: Greenlet[..., Any]) -> None:
        logger.log(level, "unhandled exception in %s", greenlet, exc_info=greenlet.exc_info)
        note_unhandled_exception()

    return log_exception
