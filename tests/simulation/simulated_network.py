"""The lines between workers and the master: gRPC as far as it matters, with a seed for all that goes wrong.

A line carries one connection at a time; calls on it are streams. Within a stream all arrives in order,
between streams it does not. A cut loses what is under way; a hang keeps it until it is over, or keepalive
ends the connection. What is on the way to a dead process is lost.

The client's end is the real `MasterLink` on a stub of our own, the server's end the real `MasterService`.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Callable, Generator
from contextvars import Context
from typing import Any

import grpc
import grpc.aio

from locust_master.services.master import MasterService
from locust_protocol.channels import MasterChannel
from locust_protocol.security.access_terms import AccessTerms
from locust_protocol.security.roles import AccessRole
from locust_protocol.v1 import master_service_pb2
from locust_worker.master_link import MasterLink
from tests.simulation.virtual_loop import Process, VirtualLoop

MIN_DELAY_S, MAX_DELAY_S = 0.001, 0.03
"""Seconds that a message takes, one way."""

KEEPALIVE_S = 10.0
"""Seconds of silence after which both ends give a connection up: a ping after 5, 5 to answer it."""

MAX_NOTICE_S = 0.05
"""Seconds until an end notices that its connection was cut."""

RETRY_CONNECT_S = 0.2
MAX_UNDER_WAY = 32
"""Messages of one stream that are under way: flow control."""

_NOBODY = Context()


class Line:
    """What lies between one worker and the master."""

    def __init__(self, loop: VirtualLoop, seed: int, worker: Process) -> None:
        self.loop = loop
        self.seed = seed
        self.worker = worker
        self.calls = 0
        self.master: Process | None = None
        self.service: MasterService | None = None
        self.is_hung = False
        self.connection: Connection | None = None
        self._cut_s: float | None = None
        """When the connection broke over which reports went; None while they go, or never did."""
        worker.on_death.append(lambda: self.cut())

    @property
    def is_fit(self) -> bool:
        """True when a message sent now would arrive."""
        return not self.is_hung and self.master is not None and self.master.is_alive

    @property
    def cut_for_s(self) -> float:
        """Seconds since reports could be under way; 0 while they can."""
        return 0.0 if self._cut_s is None else self.loop.time() - self._cut_s

    def note_reports(self, *, are_under_way: bool) -> None:
        """A stream of reports began, or broke."""
        self._cut_s = None if are_under_way else self.loop.time()

    def connect(self) -> Connection | None:
        """Returns the connection, a new one if it may be; None while there is no way."""
        if self.connection is None and self.is_fit:
            self.connection = Connection(self)
        return self.connection

    def cut(self) -> None:
        """The connection breaks; the next attempt may find the way again."""
        if self.connection is not None:
            self.connection.close()

    def hang(self) -> None:
        """Nothing passes any more, and nobody says so."""
        self.is_hung = True
        if (connection := self.connection) is not None:
            self.loop.call_later(KEEPALIVE_S, self._give_up, connection, context=_NOBODY)

    def heal(self) -> None:
        """Everything passes again, what was held first."""
        self.is_hung = False
        if self.connection is not None:
            self.connection.release()

    def _give_up(self, connection: Connection) -> None:
        if self.is_hung:
            connection.close()


class Connection:
    """One connection, from its first call until it breaks."""

    def __init__(self, line: Line) -> None:
        assert line.master is not None
        assert line.service is not None
        self.line = line
        self.master, self.service = line.master, line.service
        self.is_open = True
        self.calls: list[Call] = []
        self._last_s: dict[object, float] = {}
        self._held: list[tuple[Process, Callable[..., object], tuple[object, ...]]] = []
        self.master.on_death.append(self.close)

    def send(self, call: Call, way: str, to: Process, callback: Callable[..., object], *args: object) -> None:
        """Calls back in the process `to` once the message is there, if ever."""
        stream = (call, way)
        loop, delay_s = self.line.loop, call.chance.uniform(MIN_DELAY_S, MAX_DELAY_S)
        due_s = max(self._last_s.get(stream, 0.0), loop.time() + delay_s)
        self._last_s[stream] = due_s = due_s + 1e-6
        loop.call_at(due_s, self._arrive, to, callback, args, context=_NOBODY)

    def release(self) -> None:
        """Delivers what was held."""
        held, self._held = self._held, []
        for to, callback, args in held:
            to.call_later(0, callback, *args)  # at once, or what is sent now could overtake it

    def close(self) -> None:
        """Both ends notice soon; nothing arrives any more."""
        if not self.is_open:
            return
        self.is_open = False
        if self.line.connection is self:
            self.line.connection = None
        if any(call.carries_reports for call in self.calls):
            self.line.note_reports(are_under_way=False)
        for call in self.calls:
            delay_s = call.chance.uniform(0, MAX_NOTICE_S)
            self.line.worker.call_later(delay_s, call.fail, grpc.StatusCode.UNAVAILABLE, "connection lost")
            self.master.call_later(call.chance.uniform(0, MAX_NOTICE_S), call.end_handler)

    def _arrive(self, to: Process, callback: Callable[..., object], args: tuple[object, ...]) -> None:
        if self.is_open and self.line.is_hung:
            self._held.append((to, callback, args))
        elif self.is_open:
            to.call_later(0, callback, *args)


class Call:
    """One call, both ends of it."""

    def __init__(self, line: Line, connection: Connection | None, method: str) -> None:
        loop = line.loop
        line.calls += 1
        # A stream has chances of its own: whatever order calls are made in, a seed says the same.
        self.chance = random.Random(f"{line.seed} {line.worker.name} {method} {line.calls}")
        self._connection = connection
        self._method = method
        self._loop = loop
        self._responses: asyncio.Queue[object] = asyncio.Queue()
        self._requests: asyncio.Queue[object] = asyncio.Queue()
        self._done: asyncio.Future[object] = loop.create_future()
        self._done.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._handler: asyncio.Task[None] | None = None
        self._under_way = 0
        self._room = asyncio.Event()
        if connection is None:
            self.fail(grpc.StatusCode.UNAVAILABLE, "no connection")
        else:
            connection.calls.append(self)

    @property
    def carries_reports(self) -> bool:
        """True for the stream of reports of a session."""
        return self._method == "StreamStats"

    # ── the client's end ─────────────────────────────────────────────────────────────────────────────────

    def begin(self, request: object) -> None:
        """Calls the method; a stream of requests is what is written later."""
        if self._connection is not None:
            if self.carries_reports:
                self._connection.line.note_reports(are_under_way=True)
            self._connection.send(self, "up", self._connection.master, self._serve, request)

    async def read(self) -> object:
        """The next response, or the end."""
        if self._responses.empty() and not self._done.done():
            getter = asyncio.ensure_future(self._responses.get())
            await asyncio.wait({getter, self._done}, return_when=asyncio.FIRST_COMPLETED)
            if getter.done():
                return getter.result()
            getter.cancel()
        if not self._responses.empty():
            return self._responses.get_nowait()
        self._done.result()
        return grpc.aio.EOF

    async def write(self, request: object) -> None:
        """Sends a request once there is room for it."""
        while self._under_way >= MAX_UNDER_WAY and not self._done.done():
            self._room.clear()
            await self._room.wait()
        if self._done.done() or self._connection is None:
            raise asyncio.InvalidStateError("the call is over")
        self._under_way += 1
        self._connection.send(self, "up", self._connection.master, self._take, request)

    def __await__(self) -> Generator[Any, None, object]:
        return asyncio.shield(self._done).__await__()

    def cancel(self) -> None:
        """Gives the call up; the server hears of it later."""
        if not self._done.done():
            self._done.cancel()
            if self._connection is not None:
                self._connection.send(self, "up", self._connection.master, self.end_handler)

    def fail(self, code: grpc.StatusCode, details: str) -> None:
        """The call ends in an error."""
        if not self._done.done():
            none = grpc.aio.Metadata()
            self._done.set_exception(grpc.aio.AioRpcError(code, none, none, details=details))
        self._room.set()

    # ── the server's end ─────────────────────────────────────────────────────────────────────────────────

    def end_handler(self) -> None:
        """The client is gone."""
        if self._handler is not None:
            self._handler.cancel()

    def _take(self, request: object) -> None:
        self._requests.put_nowait(request)
        self._under_way -= 1
        self._room.set()

    def _serve(self, request: object) -> None:
        assert self._connection is not None
        self._handler = self._connection.master.create_task(self._handle(request), name=self._method)

    async def _handle(self, request: object) -> None:
        assert self._connection is not None
        method = getattr(self._connection.service, self._method)
        context = _Context(self._loop, self._connection.line.worker.name)
        try:
            if self._method == "Commands":
                async for response in method(request, context):
                    self._answer(self._responses.put_nowait, response)
                self._answer(self._end, None)
            elif self._method == "StreamStats":
                self._answer(self._end, await method(self._written(), context))
            else:
                self._answer(self._end, await method(request, context))
        except grpc.aio.AbortError:
            self._answer(self.fail, context.code, context.details)

    async def _written(self) -> AsyncIterator[object]:
        while True:
            yield await self._requests.get()

    def _answer(self, callback: Callable[..., object], *args: object) -> None:
        assert self._connection is not None
        self._connection.send(self, "down", self._connection.line.worker, callback, *args)

    def _end(self, response: object) -> None:
        if not self._done.done():
            self._done.set_result(response)


class _Context:
    """What a handler may ask of grpc."""

    def __init__(self, loop: VirtualLoop, peer: str) -> None:
        self.code = grpc.StatusCode.OK
        self.details = ""
        self._loop = loop
        self._peer = peer

    def peer(self) -> str:
        return f"ipv4:10.0.0.1:{self._peer}"

    async def abort(self, code: grpc.StatusCode, details: str) -> None:
        """Ends the call; that the master calls its own worker's message invalid is a fault of the program."""
        self.code, self.details = code, details
        if code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.INVALID_ARGUMENT):
            self._loop.fail(sys.exc_info()[1] or AssertionError(f"{code.name}: {details}"))
        raise grpc.aio.AbortError(details)


class Stub:
    """The methods that a `MasterLink` calls."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def Register(self, request: Any, *, timeout: float, wait_for_ready: bool) -> Any:
        return await self._unary("Register", request, timeout)

    async def Goodbye(self, request: Any, *, timeout: float) -> Any:
        return await self._unary("Goodbye", request, timeout)

    def Commands(self, request: master_service_pb2.CommandsRequest) -> Call:
        call = Call(self._line, self._line.connect(), "Commands")
        call.begin(request)
        return call

    def StreamStats(self) -> Call:
        call = Call(self._line, self._line.connect(), "StreamStats")
        call.begin(None)
        return call

    async def _unary(self, method: str, request: Any, timeout_s: float) -> Any:
        call: Call | None = None
        try:
            async with asyncio.timeout(timeout_s):
                while (connection := self._line.connect()) is None:
                    await asyncio.sleep(RETRY_CONNECT_S)
                call = Call(self._line, connection, method)
                call.begin(request)
                return await call
        except TimeoutError:
            none = grpc.aio.Metadata()
            raise grpc.aio.AioRpcError(grpc.StatusCode.DEADLINE_EXCEEDED, none, none) from None
        finally:
            if call is not None:
                call.cancel()


class SimulatedLink(MasterLink):
    """The real link over a line of ours."""

    def __init__(self, line: Line) -> None:
        self.target = "master:5557"
        self._channel = MasterChannel(self.target, AccessTerms(AccessRole.WORKER))
        self._open_stub = Stub(line)  # type: ignore[assignment]
        self._was_admitted = False

    async def _open(self) -> None:
        """The line is open, to whom it leads is not in doubt."""

    async def close(self) -> None:
        """Nothing is open."""
