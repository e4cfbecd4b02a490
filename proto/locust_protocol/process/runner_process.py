"""Starts a runner program and speaks frames with it: the asyncio end of the link.

An agent uses it for its runners, the master for its script host. The child is a new interpreter (exec, never
fork) in a process group of its own, so that Ctrl-C at the terminal does not reach it; it dies with the thread
that started it, hence start it from the main thread only. The truth about its death is its exit, not the end
of the stream: a daemon that user code started may hold the socket open.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

from locust_protocol.framing import FrameDecoder, encode_frame
from locust_protocol.runner.v1 import link_pb2

READ_BYTES = 256 << 10
MAX_UNSENT_BYTES = 32 << 20
"""Bytes waiting for a runner that does not read; past it the runner is taken for broken and killed."""

SECRET_VARIABLES = ("LOCUST_TOKEN",)
"""Environment variables that user code must not see."""

TERMINATE_GRACE_S = 2.0
"""Seconds that a child gets to end by itself once its link is closed; then it is killed."""


class RunnerProcess:
    """One running child and its link."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls, *, environment: Mapping[str, str] | None = None) -> RunnerProcess:
        """Starts `python -m locust_runtime`; `environment` is added to this process's own."""
        ours, theirs = socket.socketpair()
        try:
            ours.setblocking(False)
            variables = {k: v for k, v in os.environ.items() if k not in SECRET_VARIABLES}
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "locust_runtime",
                "--link-fd",
                str(theirs.fileno()),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                env={**variables, **(environment or {})},
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        reader, writer = await asyncio.open_connection(sock=ours, limit=READ_BYTES)
        return cls(process, reader, writer)

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        return self._process.returncode

    def send(self, frame: link_pb2.ToRunner) -> None:
        """Queues a frame; a child that is gone is ignored, for its exit is noticed elsewhere."""
        if self._writer.is_closing():
            return
        if self._writer.transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            self.kill()
            return
        self._writer.write(encode_frame(frame.SerializeToString()))

    async def frames(self) -> AsyncIterator[link_pb2.FromRunner]:
        """Yields what the child sends until the stream ends; a half frame at the end is dropped."""
        decoder = FrameDecoder()
        while data := await self._read():
            for payload in decoder.feed(data):
                yield link_pb2.FromRunner.FromString(payload)

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(READ_BYTES)
        except ConnectionError:
            return b""

    async def wait_exit(self) -> int:
        """Waits for the child's end and returns its exit code."""
        return await self._process.wait()

    def kill(self) -> None:
        """Ends the child and what it started in its group, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def stop(self, *, grace_s: float = TERMINATE_GRACE_S) -> int:
        """Closes the link, which asks the child to end, and returns its exit code.

        After `grace_s` it is killed; what it started in its group is in any case.
        """
        self._writer.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._process.wait()
        self.kill()
        return await self._process.wait()
