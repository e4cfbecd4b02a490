"""A TCP proxy that misbehaves on purpose: it cuts, hangs, delays, limits, half-closes and corrupts.

It stands between a command and the port that the command connects to, on a thread and an event loop of its
own, and knows nothing of what it carries. Faults are values: `proxy.do(Cut())` by hand, or a list of them
with times for `proxy.follow(...)`. What is left to chance (which byte is flipped, which garbage is sent)
comes from the seed. Between faults it must forward every byte, once and in order.

    with ChaosProxy("127.0.0.1", port, seed=7) as proxy:
        …connect to proxy.port…
        proxy.do(Hang())
        proxy.do(Heal())
"""

from __future__ import annotations

import asyncio
import enum
import random
import socket
import struct
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

CHUNK_BYTES = 64 * 1024
"""Bytes read at once."""

MAX_WAITING_CHUNKS = 16
"""Chunks that one direction holds back; beyond it the sender feels that nobody reads."""

PIECES_PER_S = 20
"""Pieces a second that a rate limit cuts the stream into: smooth, and soon noticed when it is lifted."""

START_DEADLINE_S = 30.0
"""Seconds for the thread to listen, and for a fault to be applied."""

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER with 0 s: closing the socket sends RST, not FIN."""


class Direction(enum.Enum):
    """Which way bytes flow."""

    UP = "up"
    """From the one that connected."""
    DOWN = "down"
    """To the one that connected."""


BOTH = frozenset(Direction)


@dataclass(frozen=True, slots=True)
class Cut:
    """Ends all connections that are there, at both ends: with RST, or in order with FIN."""

    reset: bool = True


@dataclass(frozen=True, slots=True)
class Refuse:
    """Cuts, and cuts every new connection at once, until `Heal`."""


@dataclass(frozen=True, slots=True)
class Hang:
    """No byte arrives any more in these directions, and no connection ends, until `Heal`."""

    directions: frozenset[Direction] = BOTH


@dataclass(frozen=True, slots=True)
class Delay:
    """Bytes that come from now on arrive so much later, until `Heal`."""

    delay_ms: int


@dataclass(frozen=True, slots=True)
class Rate:
    """Each connection carries at most this much each way, until `Heal`."""

    bytes_per_s: int


@dataclass(frozen=True, slots=True)
class HalfClose:
    """Ends one direction of all connections with FIN; what comes after it there is lost."""

    direction: Direction


@dataclass(frozen=True, slots=True)
class Insert:
    """Puts random bytes into one direction of all connections, behind what came so far."""

    direction: Direction
    size_bytes: int = 64


@dataclass(frozen=True, slots=True)
class Flip:
    """Changes one byte of what comes next in one direction of each connection."""

    direction: Direction


@dataclass(frozen=True, slots=True)
class Heal:
    """Ends `Refuse`, `Hang`, `Delay` and `Rate`; what was held back arrives."""


Fault = Cut | Refuse | Hang | Delay | Rate | HalfClose | Insert | Flip | Heal


@dataclass(frozen=True, slots=True)
class TimedFault:
    """A fault so many seconds after `follow` was called."""

    at_s: float
    fault: Fault


class ChaosProxy:
    """Forwards connections from a free port of the loopback to `host`:`port`, and does what it is told."""

    def __init__(self, host: str, port: int, *, seed: int = 0) -> None:
        self.port = 0
        self._weather = _Weather((host, port), random.Random(seed))
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._listening: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, name=f"chaos proxy of {port}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = self._listening.result(START_DEADLINE_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_DEADLINE_S)

    @property
    def accepted(self) -> int:
        """Connections accepted so far."""
        return self._weather.accepted

    @property
    def open_connections(self) -> int:
        """Connections that are there now."""
        return len(self._weather.connections)

    def do(self, fault: Fault) -> None:
        """Applies a fault now; returns once it is."""

        async def apply() -> None:
            self._weather.apply(fault)

        asyncio.run_coroutine_threadsafe(apply(), self._loop).result(START_DEADLINE_S)

    def follow(self, plan: Sequence[TimedFault]) -> Future[None]:
        """Applies faults at their times; the future is done after the last one, or when the proxy ends."""

        async def apply() -> None:
            started_s = self._loop.time()
            for timed in sorted(plan, key=lambda each: each.at_s):
                with suppress(TimeoutError):
                    rest_s = started_s + timed.at_s - self._loop.time()
                    await asyncio.wait_for(self._stop.wait(), max(rest_s, 0))
                    return
                self._weather.apply(timed.fault)

        return asyncio.run_coroutine_threadsafe(apply(), self._loop)

    # ── on the thread ────────────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:
            if self._listening.done():
                raise
            self._listening.set_exception(error)
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _serve(self) -> None:
        async with asyncio.TaskGroup() as tasks:

            def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                tasks.create_task(self._weather.carry(reader, writer))

            server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=CHUNK_BYTES)
            self._listening.set_result(server.sockets[0].getsockname()[1])
            await self._stop.wait()
            server.close()
            self._weather.apply(Refuse())
        await asyncio.sleep(0)  # transports that were aborted close their sockets in the next turn


@dataclass(slots=True)
class _Weather:
    """What holds for all connections now, and the connections."""

    target: tuple[str, int]
    chance: random.Random
    hung: frozenset[Direction] = frozenset()
    delay_s: float = 0.0
    bytes_per_s: int | None = None
    is_refusing: bool = False
    accepted: int = 0
    connections: set[_Connection] = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, and replaced by a new one, at every change."""

    def apply(self, fault: Fault) -> None:
        match fault:
            case Cut(reset):
                self._cut(reset=reset)
            case Refuse():
                self.is_refusing = True
                self._cut(reset=True)
            case Hang(directions):
                self.hung = directions
            case Delay(delay_ms):
                self.delay_s = delay_ms / 1000
            case Rate(bytes_per_s):
                self.bytes_per_s = bytes_per_s
            case Heal():
                self.hung, self.delay_s = frozenset(), 0.0
                self.bytes_per_s, self.is_refusing = None, False
            case HalfClose(direction):
                for connection in self.connections:
                    connection.pumps[direction].half_close()
            case Insert(direction, size_bytes):
                for connection in self.connections:
                    connection.pumps[direction].insert(self.chance.randbytes(size_bytes))
            case Flip(direction):
                for connection in self.connections:
                    connection.pumps[direction].flips += 1
        self.changed.set()
        self.changed = asyncio.Event()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carries one connection to its end."""
        self.accepted += 1
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target, limit=CHUNK_BYTES)
        except OSError:  # the target is not there
            writer.transport.abort()
            return
        connection = _Connection((reader, writer), (far_reader, far_writer), self)
        self.connections.add(connection)
        try:
            if self.is_refusing:
                connection.cut(reset=True)
            await connection.run()
        finally:
            self.connections.discard(connection)
            connection.close()

    def _cut(self, *, reset: bool) -> None:
        for connection in self.connections:
            connection.cut(reset=reset)


_End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Connection:
    """Both ends of one connection, and a pump each way."""

    def __init__(self, near: _End, far: _End, weather: _Weather) -> None:
        self.pumps = {
            Direction.UP: _Pump(Direction.UP, near[0], far[1], weather),
            Direction.DOWN: _Pump(Direction.DOWN, far[0], near[1], weather),
        }
        self._writers = (near[1], far[1])
        self._task = asyncio.current_task()

    async def run(self) -> None:
        """Ends when both directions have; an end that goes away ends both."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for pump in self.pumps.values():
                    tasks.create_task(pump.read())
                    tasks.create_task(pump.write())
        except* OSError:
            pass

    def cut(self, *, reset: bool) -> None:
        for writer in self._writers:
            raw: socket.socket | None = writer.get_extra_info("socket")
            if reset and raw is not None:
                with suppress(OSError):  # it was closed just now
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            writer.transport.abort()
        if self._task is not None:
            self._task.cancel()

    def close(self) -> None:
        for writer in self._writers:
            writer.close()


class _Pump:
    """One direction of one connection."""

    def __init__(
        self,
        direction: Direction,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        weather: _Weather,
    ) -> None:
        self.flips = 0
        self._direction = direction
        self._reader = reader
        self._writer = writer
        self._weather = weather
        self._waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(MAX_WAITING_CHUNKS)
        self._inserted: list[bytes] = []
        self._is_half_closed = False

    def half_close(self) -> None:
        if not self._is_half_closed and self._writer.can_write_eof():
            self._is_half_closed = True
            with suppress(OSError):
                self._writer.write_eof()

    def insert(self, garbage: bytes) -> None:
        """Between two chunks; at once when nothing waits, as senders that pause have sent whole messages."""
        if self._waiting.empty() and not self._is_half_closed and self._direction not in self._weather.hung:
            self._writer.write(garbage)
        else:
            self._inserted.append(garbage)

    async def read(self) -> None:
        now = asyncio.get_running_loop().time
        chunk = b"?"
        while chunk:
            chunk = await self._reader.read(CHUNK_BYTES)
            if chunk and self.flips:
                self.flips -= 1
                chunk = self._flipped(chunk)
            await self._waiting.put((now() + self._weather.delay_s, chunk))

    async def write(self) -> None:
        now = asyncio.get_running_loop().time
        chunk = b"?"
        while chunk:
            due_s, chunk = await self._waiting.get()
            await asyncio.sleep(max(0.0, due_s - now()))
            await self._wait_flow()
            await self._write_at_rate(chunk)
            while self._inserted:
                await self._write_at_rate(self._inserted.pop(0))
        self.half_close()

    async def _write_at_rate(self, chunk: bytes) -> None:
        while chunk and not self._is_half_closed:
            limit = self._weather.bytes_per_s
            size = len(chunk) if limit is None else max(1, limit // PIECES_PER_S)
            piece, chunk = chunk[:size], chunk[size:]
            self._writer.write(piece)
            await self._writer.drain()
            if limit is not None:
                await asyncio.sleep(len(piece) / limit)
            await self._wait_flow()

    async def _wait_flow(self) -> None:
        while self._direction in self._weather.hung:
            await self._weather.changed.wait()

    def _flipped(self, chunk: bytes) -> bytes:
        changed = bytearray(chunk)
        changed[self._weather.chance.randrange(len(changed))] ^= 1 << self._weather.chance.randrange(8)
        return bytes(changed)
