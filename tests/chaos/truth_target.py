"""The target of the fault bench: answers at once, and knows exactly what arrived, from whom and when.

Each user names itself in the `X-User` header as `<runner>-<number>`. Every request whose head was received is
noted once, before it is answered, with its path, its user and the time; `GET /_truth` gives it all. It shares
two cores with everything else, so it is a bare protocol and nothing more: it understands what our own clients
send (no chunked bodies, no pipelining) and must never note its own `/_…` paths.

    python tests/chaos/truth_target.py
"""

from __future__ import annotations

import asyncio
import json
import signal
import time
from dataclasses import dataclass, field

SLOW_S = 0.05
"""Seconds that `/slow` takes to answer: long enough to be on the wire when a user is stopped."""


@dataclass(slots=True)
class Notes:
    """All arrivals. Times are monotonic seconds, the same for every process of the machine."""

    paths: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    path_numbers: dict[str, int] = field(default_factory=dict)
    user_numbers: dict[str, int] = field(default_factory=dict)
    arrivals: list[tuple[float, int, int]] = field(default_factory=list)
    """Time, number of the path, number of the user."""

    def note(self, path: str, user: str) -> None:
        path_number = _number(self.paths, self.path_numbers, path)
        user_number = _number(self.users, self.user_numbers, user)
        self.arrivals.append((time.monotonic(), path_number, user_number))

    def as_json(self) -> bytes:
        return json.dumps({"paths": self.paths, "users": self.users, "arrivals": self.arrivals}).encode()


def _number(names: list[str], numbers: dict[str, int], name: str) -> int:
    number = numbers.setdefault(name, len(names))
    if number == len(names):
        names.append(name)
    return number


class Connection(asyncio.Protocol):
    """One connection: reads heads, skips bodies, answers."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._received = bytearray()
        self._body_rest = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while True:
            skipped = min(self._body_rest, len(self._received))
            del self._received[:skipped]
            self._body_rest -= skipped
            end = self._received.find(b"\r\n\r\n")
            if self._body_rest or end < 0:
                return
            head = self._received[:end].decode("latin-1")
            del self._received[: end + 4]
            self._take(head)

    def _take(self, head: str) -> None:
        lines = head.split("\r\n")
        method, target, _version = lines[0].split(" ", 2)
        fields = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        self._body_rest = int(fields.get("content-length", "0"))
        path = target.partition("?")[0]
        if path.startswith("/_"):
            self._answer(self._notes.as_json())
            return
        self._notes.note(f"{method} {path}", fields.get("x-user", "?-0"))
        if path == "/slow":
            asyncio.get_running_loop().call_later(SLOW_S, self._answer, b"ok")
        else:
            self._answer(b"ok")

    def _answer(self, body: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
            self._transport.write(head.encode() + body)


async def serve() -> None:
    """Serves until SIGTERM."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    notes = Notes()
    server = await loop.create_server(lambda: Connection(notes), "127.0.0.1", 0, backlog=1024)
    print(f"listening on http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await stopped.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(serve())
