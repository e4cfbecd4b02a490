"""A script host in an empty folder, and a locustfile in another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from tests.runtime.script_host.host_driver import HostDriver


@pytest.fixture
def start_directory(tmp_path: Path) -> Path:
    """Where the master was started: config files are looked for here."""
    folder = tmp_path / "started-here"
    folder.mkdir()
    return folder


@pytest.fixture
def host(start_directory: Path) -> Iterator[HostDriver]:
    with HostDriver(start_directory) as host:
        yield host


@pytest.fixture
def locustfile(tmp_path: Path) -> Callable[[str], Path]:
    """Writes the text, with a user class behind it, as locustfile.py; gives its folder."""

    def write(text: str) -> Path:
        folder = tmp_path / "code"
        folder.mkdir(exist_ok=True)
        users = "\n\nfrom locust import User\nclass Shop(User):\n    host = 'http://own'\n"
        (folder / "locustfile.py").write_text(dedent(text) + users)
        return folder.resolve()

    return write
