"""A real agent with real runners, under a master that the test plays."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.processes import Command
from tests.support.target import Target
from tests.worker.fake_master import FakeMaster

StartAgent = Callable[..., Command]

SHORT_LEASE_S = 3.0
"""Short, so that its end is seen soon; longer than a busy machine stands still."""


@pytest.fixture
async def master() -> AsyncIterator[FakeMaster]:
    fake = FakeMaster()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def short_leased() -> AsyncIterator[FakeMaster]:
    """A master whose workers end their users after a few seconds without it."""
    fake = FakeMaster(lease_s=SHORT_LEASE_S)
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def start_agent(tmp_path: Path) -> AsyncIterator[StartAgent]:
    """Starts `locust-worker` on a port; ends it, and everything that it started."""
    with ExitStack() as agents:

        def start(port: int, *arguments: str, runners: int = 2) -> Command:
            argv = [sys.executable, "-m", "locust_worker.cli", "--master-port", str(port)]
            argv += ["--processes", str(runners), "--name", "agent", *arguments]
            environment = {"LOCUST_CACHE_DIR": str(tmp_path / "cache")}
            return agents.enter_context(Command(argv, cwd=tmp_path, environment=environment))

        yield start
        # In a thread: the master of the test has to answer meanwhile.
        await asyncio.to_thread(agents.close)


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with Target() as running:
        yield running
