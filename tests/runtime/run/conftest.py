"""A runner process and what it needs: a locustfile in a folder, and a target that counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from tests.runtime.http.target import Target, serving
from tests.runtime.run.runner_driver import RunnerDriver


@pytest.fixture
def target() -> Iterator[Target]:
    with serving() as target:
        yield target


@pytest.fixture
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunnerDriver]:
    agent_folder = tmp_path_factory.mktemp("agent")
    (agent_folder / "conftest_of_the_agent.py").write_text("")
    with RunnerDriver(folder=agent_folder) as runner:
        yield runner


@pytest.fixture
def locustfile(tmp_path: Path) -> Callable[[str], Path]:
    """Writes the text as locustfile.py into a folder of its own, and gives the folder."""

    def write(text: str) -> Path:
        (tmp_path / "locustfile.py").write_text(dedent(text))
        return tmp_path.resolve()

    return write
