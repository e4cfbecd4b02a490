"""The one module that knows gRPC: from the Watch stream to snapshots and links, from wishes to calls.

It reconnects for ever with a growing pause and tells how the connection stands whenever that changes. A
read of a stream is never given a timeout (that would cancel the stream, not the read); every unary call
has a deadline. Importing this module takes a while, so the screen is drawn first.
"""

from __future__ import annotations

import os

os.environ["GRPC_VERBOSITY"] = "NONE"  # core would print goaways across the screen

import asyncio
import contextlib
import logging
import time
import uuid
from typing import TYPE_CHECKING, Any, Protocol

import grpc
import grpc.aio
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from locust_protocol.channels import MasterChannel
from locust_protocol.process.errors import OperatorError
from locust_protocol.security.access_terms import AccessTerms
from locust_protocol.security.server_certificate import NoConnection
from locust_protocol.v1 import control_service_pb2 as control
from locust_protocol.v1.control_service_pb2_grpc import ControlServiceStub
from locust_protocol.v1.snapshot_pb2 import Snapshot
from locust_tui.connection import (
    Link,
    LinkPhase,
    MasterSilent,
    PlanChanged,
    Trouble,
    WishRefused,
    cause,
    remedy,
)

if TYPE_CHECKING:
    from locust_protocol.v1.control_service_pb2_grpc import ControlServiceAsyncStub

log = logging.getLogger(__name__)

CALL_DEADLINE_S = 5.0
"""Seconds until a unary call without an answer is given up; a person waits no longer for a key."""

FIRST_PAUSE_S = 0.25
LAST_PAUSE_S = 2.0
"""Seconds between attempts to watch, doubled from the first to the last."""

HISTORY_S = 1_200
"""Seconds of charts asked for at the start of a stream."""


class Listener(Protocol):
    """Who wants to know; called on the event loop, must return at once."""

    def snapshot_arrived(self, snapshot: Snapshot) -> None:
        """A snapshot came, whole or with changed rows."""

    def link_changed(self, link: Link) -> None:
        """The connection stands differently."""


class MasterClient:
    """A client of the master at `target` ("host:port"); make it on a running event loop."""

    def __init__(self, channel: MasterChannel, *, actor: str) -> None:
        self.target = target = channel.target
        self._actor = actor
        self._channel = channel
        self._stub: ControlServiceAsyncStub | None = None
        self._link = Link(target, LinkPhase.CONNECTING, time.monotonic())

    async def follow(self, listener: Listener) -> None:
        """Watches until it is cancelled, through every loss of the master."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                await self._watch_once(listener)
                trouble, detail = Trouble.ENDED, ""
            except (grpc.aio.AioRpcError, NoConnection, OperatorError) as error:
                self._forget_refused_token(error)
                trouble, detail = _trouble(error)
            was_connected = self._link.phase is LinkPhase.CONNECTED
            self._lose(listener, trouble, detail)
            if was_connected:
                pause_s = FIRST_PAUSE_S
            await asyncio.sleep(pause_s)
            pause_s = min(LAST_PAUSE_S, 2 * pause_s)

    async def fetch_snapshot(self, *, timeout_s: float) -> Snapshot:
        """Returns one whole snapshot. Raises MasterSilent when there is no master within the time."""
        try:
            stub = await self._open()
        except NoConnection as error:
            raise _as_error(Link(self.target, LinkPhase.LOST, 0, *_trouble(error))) from error
        call = stub.Watch(_watch_request(), timeout=timeout_s)
        try:
            async for response in call:
                return response.snapshot
        except grpc.aio.AioRpcError as error:
            self._forget_refused_token(error)
            raise _as_error(Link(self.target, LinkPhase.LOST, 0, *_trouble(error))) from error
        finally:
            call.cancel()
        raise _as_error(Link(self.target, LinkPhase.LOST, 0, Trouble.ENDED))

    async def get_manifest(self) -> control.GetManifestResponse:
        """Returns what the locustfile offers. Raises WishRefused when it could not be loaded."""
        manifest: control.GetManifestResponse = await self._ask("GetManifest", control.GetManifestRequest())
        return manifest

    async def start_run(self, options: control.RunOptions, *, expected_generation: int | None) -> int:
        """Starts a run and returns the generation after it, as the other commands do.

        Raises PlanChanged, WishRefused with the master's reason, or MasterSilent.
        """
        guard = self._guard(expected_generation)
        request = control.StartRunRequest(precondition=guard, options=options)
        return await self._command("StartRun", request)

    async def edit_run(self, *, users: int, spawn_rate: float, expected_generation: int | None) -> int:
        """Changes users and spawn rate."""
        request = control.EditRunRequest(
            precondition=self._guard(expected_generation), users=users, spawn_rate=spawn_rate
        )
        return await self._command("EditRun", request)

    async def stop_run(self, *, expected_generation: int | None) -> int:
        """Stops the run."""
        request = control.StopRunRequest(precondition=self._guard(expected_generation))
        return await self._command("StopRun", request)

    async def reset_statistics(self, *, expected_generation: int | None) -> int:
        """Starts statistics anew."""
        request = control.ResetStatisticsRequest(precondition=self._guard(expected_generation))
        return await self._command("ResetStatistics", request)

    async def mark_run(self, text: str) -> int:
        """Marks this moment, whatever the generation is."""
        request = control.MarkRunRequest(precondition=self._guard(None), text=text)
        return await self._command("MarkRun", request)

    async def shut_down(self, *, expected_generation: int | None) -> int:
        """Ends the run and the master."""
        request = control.ShutDownRequest(precondition=self._guard(expected_generation))
        return await self._command("ShutDown", request)

    async def close(self) -> None:
        """Ends the connection; `follow` has been cancelled and awaited before."""
        await self._channel.close()

    async def _open(self) -> ControlServiceAsyncStub:
        """Sees who is there and opens the channel. Raises as `find_access` does."""
        self._stub = ControlServiceStub(await self._channel.open())
        return self._stub

    def _forget_refused_token(self, error: Exception) -> None:
        if isinstance(error, grpc.aio.AioRpcError) and error.code() is grpc.StatusCode.UNAUTHENTICATED:
            self._channel.forget_token()

    async def _watch_once(self, listener: Listener) -> None:
        stub = await self._open()
        call = stub.Watch(_watch_request())
        try:
            async for response in call:
                if self._link.phase is not LinkPhase.CONNECTED:
                    self._tell(listener, Link(self.target, LinkPhase.CONNECTED, time.monotonic()))
                listener.snapshot_arrived(response.snapshot)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            log.info("stream was cancelled by the library, watching again target=%s", self.target)
        finally:
            call.cancel()  # a call that is dropped without it is never collected

    def _lose(self, listener: Listener, trouble: Trouble, detail: str) -> None:
        before = self._link
        if (before.phase, before.trouble) == (LinkPhase.LOST, trouble):
            return
        is_new_loss = before.phase is not LinkPhase.LOST
        was_connected = before.was_connected or before.phase is LinkPhase.CONNECTED
        since_s = time.monotonic() if is_new_loss and was_connected else before.since_s
        log.info("no connection target=%s trouble=%s detail=%s", self.target, trouble.name, detail)
        self._tell(listener, Link(self.target, LinkPhase.LOST, since_s, trouble, detail, was_connected))

    def _tell(self, listener: Listener, link: Link) -> None:
        self._link = link
        listener.link_changed(link)

    def _guard(self, expected_generation: int | None) -> control.Precondition:
        guard = control.Precondition(request_id=uuid.uuid4().hex, actor=self._actor)
        if expected_generation is not None:
            guard.expected_generation = expected_generation
        return guard

    async def _command(self, method: str, request: Message) -> int:
        """Sends a command and returns the generation after it."""
        generation: int = (await self._ask(method, request)).result.generation
        return generation

    async def _ask(self, method: str, request: Message) -> Any:
        """One wish with one deadline; when the connection breaks under it, the same wish is sent again."""
        deadline_s = time.monotonic() + CALL_DEADLINE_S
        while True:
            left_s = max(0.05, deadline_s - time.monotonic())
            try:
                stub = self._stub or await self._open()
                return await getattr(stub, method)(request, timeout=left_s, wait_for_ready=True)
            except NoConnection as error:
                if time.monotonic() + FIRST_PAUSE_S >= deadline_s:
                    raise _no_answer(self.target) from error
            except grpc.aio.AioRpcError as error:
                may_repeat = error.code() is grpc.StatusCode.UNAVAILABLE
                if not may_repeat or time.monotonic() + FIRST_PAUSE_S >= deadline_s:
                    raise _refusal(error, self.target) from error
            await asyncio.sleep(FIRST_PAUSE_S)


def client_of(target: str, terms: AccessTerms) -> MasterClient:
    """Returns a client of the master at "host:port" that asks nobody for a token."""
    return MasterClient(MasterChannel(target, terms), actor=actor_name())


def actor_name() -> str:
    """Returns who this client is to others: "tui@host"."""
    with contextlib.suppress(OSError):
        return f"tui@{os.uname().nodename}"
    return "tui"


def _watch_request() -> control.WatchRequest:
    return control.WatchRequest(min_interval=Duration(seconds=1), history_seconds=HISTORY_S)


def _as_error(link: Link) -> OperatorError:
    return MasterSilent(f"no master at {link.target}: {cause(link)}", remedy=remedy(link))


def _refusal(error: grpc.aio.AioRpcError, target: str) -> OperatorError:
    reason = error.details() or error.code().name
    match error.code():
        case grpc.StatusCode.ABORTED:
            return PlanChanged(reason)
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.DEADLINE_EXCEEDED:
            return _no_answer(target)
        case grpc.StatusCode.UNIMPLEMENTED:
            return WishRefused("this master does not know how to do that", remedy="upgrade the master")
        case _:
            return WishRefused(reason)


def _no_answer(target: str) -> MasterSilent:
    return MasterSilent(
        f"the master at {target} did not answer within {CALL_DEADLINE_S:g} s",
        remedy="look whether it took effect before you try again",
    )


_SIGNS = (
    ("connection refused", Trouble.REFUSED),
    ("cancelling all calls", Trouble.ENDED),
    ("goaway", Trouble.ENDED),
    ("errors resolving", Trouble.UNKNOWN_HOST),
    ("dns resolution failed", Trouble.UNKNOWN_HOST),
    ("domain name not found", Trouble.UNKNOWN_HOST),
    ("http/2", Trouble.NOT_A_MASTER),
    ("http2 header", Trouble.NOT_A_MASTER),
    ("timeout", Trouble.UNREACHABLE),
    ("timed out", Trouble.UNREACHABLE),
    ("unreachable", Trouble.UNREACHABLE),
    ("does not answer", Trouble.UNREACHABLE),
    ("name or service not known", Trouble.UNKNOWN_HOST),
    ("name resolution", Trouble.UNKNOWN_HOST),
    ("nodename nor servname", Trouble.UNKNOWN_HOST),
    ("ended the connection", Trouble.ENDED),
    ("no route", Trouble.UNREACHABLE),
    ("fd shutdown", Trouble.UNREACHABLE),
    ("socket closed", Trouble.ENDED),
    ("connection reset", Trouble.ENDED),
)
"""What grpc says, in small letters, and what it means; it has no codes for these."""


def _trouble(error: grpc.aio.AioRpcError | NoConnection | OperatorError) -> tuple[Trouble, str]:
    if isinstance(error, OperatorError):
        return Trouble.KEPT_OUT, str(error)
    if isinstance(error, NoConnection):
        return _by_sign(str(error))
    detail = error.details() or error.code().name
    match error.code():
        case grpc.StatusCode.UNIMPLEMENTED:
            return Trouble.NOT_A_MASTER, detail
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return Trouble.TOO_MANY_WATCHERS, detail
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return Trouble.UNREACHABLE, detail
        case grpc.StatusCode.UNAUTHENTICATED | grpc.StatusCode.PERMISSION_DENIED:
            return Trouble.KEPT_OUT, detail
        case _:
            return _by_sign(detail)


def _by_sign(detail: str) -> tuple[Trouble, str]:
    small = detail.lower()
    return next((trouble for sign, trouble in _SIGNS if sign in small), Trouble.OTHER), detail
