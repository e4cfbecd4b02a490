"""The target: notes when each request came, and answers at once.

A process of its own, so that nobody's work delays a stamp. It stamps a request when its bytes are read from
the socket, in one callback of the loop; that is late by what the loop does just then, some 0.1 ms.

    GET /_arrivals   all requests so far as [[ns, path], ...], stamps of the monotonic clock
    GET /_count      how many there are
    anything else    is noted
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import Command

from benchmarks.spawn_times.arrivals import Arrival, read_arrivals

CHECKOUT = Path(__file__).parents[2]

START_DEADLINE_S = 20.0
READ_TIMEOUT_S = 20.0

MAX_ARRIVALS = 200_000
"""Requests that are noted, some 100 bytes each; a benchmark has a tenth of that."""

BACKLOG = 4096
"""Connections that may wait to be accepted: users of a fast ramp each open one."""


class Witness:
    """A running witness."""

    def __init__(self, url: str) -> None:
        self.url = url

    def arrivals(self) -> list[Arrival]:
        """All requests so far."""
        return read_arrivals((at_ns, path) for at_ns, path in json.loads(self._fetch("/_arrivals")))

    def count(self) -> int:
        """How many requests came so far."""
        return int(self._fetch("/_count"))

    def _fetch(self, path: str) -> bytes:
        # An empty ProxyHandler: the proxies of the environment are not for the loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url + path, timeout=READ_TIMEOUT_S) as response:
            body: bytes = response.read()
        return body


@contextmanager
def watching() -> Iterator[Witness]:
    """A witness on a free port of the loopback, for as long as the block takes."""
    with Command([sys.executable, "-m", __name__], cwd=CHECKOUT) as command:
        line = command.wait_for_line(r"^listening on (http://\S+)$", deadline_s=START_DEADLINE_S)
        yield Witness(line[1])


class _Connection(asyncio.Protocol):
    """One client's connection; requests have no body."""

    def __init__(self, noted: list[tuple[int, str]]) -> None:
        self._noted = noted
        self._unread = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        now_ns = time.monotonic_ns()
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            path = self._unread.split(b" ", 2)[1].decode()
            self._unread = self._unread[end + 4 :]
            self._answer(path, now_ns)

    def _answer(self, path: str, now_ns: int) -> None:
        body = b"ok"
        if path == "/_arrivals":
            body = json.dumps(self._noted).encode()
        elif path == "/_count":
            body = str(len(self._noted)).encode()
        elif len(self._noted) < MAX_ARRIVALS:
            self._noted.append((now_ns, path))
        assert self._transport is not None
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


async def _serve() -> None:
    noted: list[tuple[int, str]] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(noted), "127.0.0.1", 0, backlog=BACKLOG)
    print(f"listening on http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
