"""Logging of a command: one handler, the format that Locust's users filter by."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from locust_protocol.process.errors import UsageError
from locust_protocol.process.logs import Role, configure_logging


@pytest.fixture(autouse=True)
def _root_logger_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in [each for each in root.handlers if each not in handlers]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)


def test_log_line_has_time_host_level_and_logger(tmp_path: Path) -> None:
    """People cut these lines apart with tools."""
    logfile = tmp_path / "x.log"
    configure_logging("info", str(logfile), role=Role.MASTER)

    logging.getLogger("shop").info("started users=%s", 5)
    logging.getLogger("shop").debug("not shown")

    line = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\] \S+/INFO/shop: started users=5\n"
    assert re.fullmatch(line, logfile.read_text(encoding="utf-8"))


def test_configuring_twice_leaves_one_handler(capsys: pytest.CaptureFixture[str]) -> None:
    """A line that appears twice makes people look for two processes."""
    configure_logging("INFO", None, role=Role.MASTER)
    configure_logging("INFO", None, role=Role.MASTER)

    logging.getLogger("shop").warning("once")

    assert capsys.readouterr().err.count("once") == 1


def test_terminal_screen_is_not_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    """One stray line on stderr breaks the screen."""
    configure_logging("INFO", None, role=Role.TUI)

    logging.getLogger("shop").error("hidden")

    assert "hidden" not in capsys.readouterr().err


def test_log_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """A newcomer's mistake gets one line, not a traceback."""
    with pytest.raises(UsageError, match=r"nowhere.*--logfile"):
        configure_logging("INFO", str(tmp_path / "nowhere" / "x.log"), role=Role.WORKER)
