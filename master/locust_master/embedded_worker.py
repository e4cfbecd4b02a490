"""A worker on the master's own machine (`--processes`): the same command, ended with its master."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from contextlib import suppress

logger = logging.getLogger(__name__)

STOP_GRACE_S = 5.0
"""Seconds that the worker gets to say goodbye after the master left."""

PARENT_DEATH_VARIABLE = "LOCUST_WORKER_PARENT_DEATH"


class EmbeddedWorker:
    """One `locust-worker` process under this master."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, *, host: str, port: int, processes: int, log_level: str) -> EmbeddedWorker:
        """Starts it. It has a process group of its own, so that Ctrl-C reaches the master alone."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "locust_worker.cli",
            "--master-host",
            host,
            "--master-port",
            str(port),
            "--processes",
            str(processes),
            "--loglevel",
            log_level,
            stdin=asyncio.subprocess.DEVNULL,
            env={**os.environ, PARENT_DEATH_VARIABLE: "1"},
            start_new_session=True,
        )
        return cls(process)

    async def watch(self) -> None:
        """Says it when the worker ends while the master lives."""
        code = await self._process.wait()
        if code != 0:
            logger.error("the local worker ended exit_code=%d; see its messages above", code)

    async def stop(self) -> None:
        """Waits for the worker to end by itself, then makes it."""
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            if number is not None:
                with suppress(ProcessLookupError):
                    self._process.send_signal(number)
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_GRACE_S):
                    await self._process.wait()
                    return

    def kill(self) -> None:
        """Ends it at once; its runners die with it."""
        with suppress(ProcessLookupError):
            self._process.kill()
