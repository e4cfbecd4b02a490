"""What a peer is told when something breaks: statuses, and nothing of our inside."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from typing import Any

import grpc
import grpc.aio
import pytest

from locust_master.merging.errors import MalformedReport
from locust_master.outputs.export import UnknownFormat
from locust_master.refusals import NotHere, NotOnGeneration, Refused, TooMany
from locust_master.services.interceptors import answers, status_of, streams
from locust_protocol.bundle import BundleError
from locust_protocol.process.errors import OperatorError, UsageError
from locust_protocol.versions import IncompatibleProtocol


class Aborted(grpc.aio.AbortError):
    """What a context raises when a handler aborts."""


class Context:
    """Notes what a peer would be told."""

    def __init__(self) -> None:
        self.code: grpc.StatusCode | None = None
        self.text = ""

    async def abort(self, code: grpc.StatusCode, text: str) -> None:
        self.code, self.text = code, text
        raise Aborted


STATUSES = [
    (UsageError("x"), grpc.StatusCode.INVALID_ARGUMENT),
    (BundleError("x"), grpc.StatusCode.INVALID_ARGUMENT),
    (Refused("x"), grpc.StatusCode.FAILED_PRECONDITION),
    (IncompatibleProtocol("x"), grpc.StatusCode.FAILED_PRECONDITION),
    (UnknownFormat("x"), grpc.StatusCode.UNIMPLEMENTED),
    (TooMany("x"), grpc.StatusCode.RESOURCE_EXHAUSTED),
    (NotHere("x"), grpc.StatusCode.NOT_FOUND),
    (NotOnGeneration("x"), grpc.StatusCode.ABORTED),
]


@pytest.mark.parametrize(("error", "status"), STATUSES, ids=lambda each: type(each).__name__)
def test_error_has_the_status_that_the_schema_documents(
    error: OperatorError, status: grpc.StatusCode
) -> None:
    """Clients act on it without reading the text."""
    assert status_of(error) is status


class Handlers:
    """Handlers that fail."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error
        self.closed = False

    @answers
    async def unary(self, request: object, context: object) -> object:
        if self._error is not None:
            raise self._error
        return request

    @streams
    async def stream(self, request: object, context: object) -> AsyncGenerator[object, None]:
        try:
            yield 1
            if self._error is not None:
                raise self._error
            yield 2
        finally:
            self.closed = True


async def told(kind: str, error: Exception) -> Context:
    context, handlers = Context(), Handlers(error)

    async def call() -> None:
        if kind == "unary":
            await handlers.unary(None, context)
        else:
            async for _ in handlers.stream(None, context):
                pass

    with pytest.raises(Aborted):
        await call()
    return context


@pytest.mark.parametrize("kind", ["unary", "stream"])
async def test_peer_is_told_what_it_can_put_right(kind: str) -> None:
    """The sentence with its remedy, in one line."""
    context = await told(kind, Refused("no\nhost", remedy="give one"))
    assert (context.code, context.text) == (grpc.StatusCode.FAILED_PRECONDITION, "no host; give one")


@pytest.mark.parametrize("kind", ["unary", "stream"])
async def test_malformed_report_is_the_peer_s_fault(kind: str) -> None:
    """A worker must not send it again for ever."""
    context = await told(kind, MalformedReport("columns differ"))
    assert (context.code, context.text) == (grpc.StatusCode.INVALID_ARGUMENT, "columns differ")


@pytest.mark.parametrize("kind", ["unary", "stream"])
async def test_unexpected_error_never_reaches_the_peer(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """Its text may hold a secret; the peer gets a name that the log can be searched for."""
    context = await told(kind, RuntimeError("password=hunter2"))
    assert context.code is grpc.StatusCode.INTERNAL
    assert "hunter2" not in context.text
    name = context.text.removeprefix("internal error ").partition(":")[0]
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert name in record.getMessage()
    assert "hunter2" in str(record.exc_info[1] if record.exc_info else "")


@pytest.mark.parametrize("kind", ["unary", "stream"])
async def test_abort_of_a_handler_s_own_passes(kind: str) -> None:
    """It is an answer already."""
    context = await told(kind, Aborted())
    assert context.code is None


async def test_handlers_that_do_not_fail_are_left_alone() -> None:
    """Wrapping changes nothing else."""
    handlers = Handlers(None)
    assert await handlers.unary(5, Context()) == 5
    assert [each async for each in handlers.stream(None, Context())] == [1, 2]


async def test_stream_that_is_given_up_ends_its_handler_at_once() -> None:
    """A watcher that goes must free its place now, not when memory is next tidied."""
    handlers = Handlers(None)
    stream: Any = handlers.stream(None, Context())
    assert await anext(stream) == 1
    await stream.aclose()
    assert handlers.closed
