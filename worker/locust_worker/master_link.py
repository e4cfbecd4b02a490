"""The agent's end of the master's service. One channel for the life of the process.

Rules that grpc.aio asks for: one writer a stream; a read is never cancelled unless its stream is given up;
each call is cancelled in the end, or it is never freed; the end of a stream says nothing about why.
Decides nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import grpc
import grpc.aio

from locust_protocol.channels import MasterChannel
from locust_protocol.process.errors import OperatorError
from locust_protocol.security.server_certificate import NoConnection
from locust_protocol.v1 import bundle_pb2, master_service_pb2, report_pb2
from locust_protocol.v1.master_service_pb2_grpc import MasterServiceStub

if TYPE_CHECKING:
    from locust_protocol.v1.master_service_pb2_grpc import MasterServiceAsyncStub

REGISTER_TIMEOUT_S = 3.0
"""Seconds that one attempt to register may take, the wait for a connection included."""

GOODBYE_TIMEOUT_S = 2.0
"""Seconds that a goodbye may take; then the lease has to say it."""

FETCH_TIMEOUT_S = 300.0
"""Seconds that a bundle may take: 64 MiB over a slow line."""

_FOR_GOOD = frozenset(
    {
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
    }
)


class MasterUnreachable(OperatorError):
    """The master does not answer, or not now; asking again may help."""


class MasterRefuses(OperatorError):
    """The master will not have this worker as it is."""


class StreamEnd(Exception):
    """A stream of the session is over. `is_rejection` when the master calls what was sent invalid.

    `is_too_large` when it does not take messages of that size.
    """

    def __init__(self, reason: str, *, is_rejection: bool = False, is_too_large: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_rejection = is_rejection
        self.is_too_large = is_too_large


class MasterLink:
    """The connection to one master."""

    def __init__(self, channel: MasterChannel) -> None:
        self.target = channel.target
        self._channel = channel
        self._open_stub: MasterServiceAsyncStub | None = None
        self._was_admitted = False

    async def register(
        self, request: master_service_pb2.RegisterRequest
    ) -> master_service_pb2.RegisterResponse:
        """Asks to be admitted. Raises `MasterUnreachable` or `MasterRefuses`."""
        await self._open()
        try:
            response = await self._stub.Register(request, timeout=REGISTER_TIMEOUT_S, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            details = error.details() or error.code().name
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                details = f"what answers at {self.target} is no locust-master"
            if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                self._channel.forget_token()
            if error.code() in _FOR_GOOD:
                raise MasterRefuses(details) from None
            if error.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE):
                details = f"no answer from {self.target}"
                if self._channel.is_insecure:
                    details += (
                        " without encryption (a master that was not started with --insecure gives none)"
                    )
            raise _unreachable(details) from None
        self._was_admitted = True
        return response

    @property
    def _stub(self) -> MasterServiceAsyncStub:
        assert self._open_stub is not None, "nothing is asked before a registration"
        return self._open_stub

    async def _open(self) -> None:
        """Sees who is there, and opens the channel. Raises `MasterUnreachable` or `MasterRefuses`."""
        try:
            self._open_stub = MasterServiceStub(await self._channel.open())
        except NoConnection as error:
            raise _unreachable(f"no answer from {self.target} ({error})") from None
        except OperatorError as error:
            # Once it was in, a worker holds samples: whoever stands there now may be gone again soon.
            if self._was_admitted:
                raise MasterUnreachable(str(error)) from None
            raise MasterRefuses(error.message, remedy=error.remedy) from None

    async def serve(
        self,
        session_id: int,
        outgoing: asyncio.Queue[report_pb2.Report],
        on_command: Callable[[master_service_pb2.CommandsResponse], None],
    ) -> StreamEnd:
        """Runs both streams of a session until one ends, and returns why."""
        commands = self._stub.Commands(master_service_pb2.CommandsRequest(session_id=session_id))
        stats = self._stub.StreamStats()
        end = StreamEnd("closed")
        try:
            async with asyncio.TaskGroup() as streams:
                streams.create_task(_read(commands, on_command), name="commands-reader")
                streams.create_task(_write(stats, session_id, outgoing), name="reports-writer")
                streams.create_task(_watch(stats), name="reports-watcher")
        except* StreamEnd as group:
            first = group.exceptions[0]
            end = first if isinstance(first, StreamEnd) else end
        finally:
            commands.cancel()
            stats.cancel()
        return end

    async def fetch_bundle(
        self, session_id: int, digest: bytes, *, offset: int
    ) -> AsyncIterator[bundle_pb2.BundleManifest | bytes]:
        """Yields the manifest, then the contents in pieces, but for the first `offset` bytes of them.

        Raises `MasterUnreachable`.
        """
        request = master_service_pb2.FetchBundleRequest(session_id=session_id, digest=digest, offset=offset)
        call = self._stub.FetchBundle(request, timeout=FETCH_TIMEOUT_S)
        try:
            async for response in call:
                if response.WhichOneof("part") == "manifest":
                    yield response.manifest
                else:
                    yield response.data
        except grpc.aio.AioRpcError as error:
            raise MasterUnreachable(f"bundle not fetched: {error.details() or error.code().name}") from None
        finally:
            call.cancel()

    async def goodbye(self, session_id: int, reason: str) -> None:
        """Says goodbye; a master that does not hear it learns by the lease."""
        request = master_service_pb2.GoodbyeRequest(session_id=session_id, reason=reason)
        with suppress(grpc.aio.AioRpcError):
            await self._stub.Goodbye(request, timeout=GOODBYE_TIMEOUT_S)

    async def close(self) -> None:
        """Closes the channel."""
        await self._channel.close()


Commands = grpc.aio.UnaryStreamCall[master_service_pb2.CommandsRequest, master_service_pb2.CommandsResponse]
Stats = grpc.aio.StreamUnaryCall[
    master_service_pb2.StreamStatsRequest, master_service_pb2.StreamStatsResponse
]


async def _read(
    commands: Commands, on_command: Callable[[master_service_pb2.CommandsResponse], None]
) -> None:
    try:
        while True:
            command = await commands.read()
            if not isinstance(command, master_service_pb2.CommandsResponse):
                break  # grpc.aio.EOF
            on_command(command)
    except grpc.aio.AioRpcError as error:
        raise _end_by(error) from None
    raise StreamEnd("the master closed the commands")


async def _write(stats: Stats, session_id: int, outgoing: asyncio.Queue[report_pb2.Report]) -> None:
    try:
        while True:
            report = await outgoing.get()
            report.sent_ns = time.monotonic_ns()
            await stats.write(master_service_pb2.StreamStatsRequest(session_id=session_id, report=report))
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        return  # the watcher knows why


async def _watch(stats: Stats) -> None:
    try:
        await stats
    except grpc.aio.AioRpcError as error:
        raise _end_by(error) from None
    raise StreamEnd("the master closed the reports")


def _unreachable(details: str) -> MasterUnreachable:
    remedy = "start locust-master there, or check --master-host and --master-port"
    return MasterUnreachable(f"{details}, trying on", remedy=remedy)


def _end_by(error: grpc.aio.AioRpcError) -> StreamEnd:
    return StreamEnd(
        error.details() or error.code().name,
        is_rejection=error.code() is grpc.StatusCode.INVALID_ARGUMENT,
        is_too_large=error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED,
    )
