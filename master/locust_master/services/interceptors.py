"""What a peer is told when something breaks: a status, and a sentence that a person can act on."""

from __future__ import annotations

import functools
import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc
import grpc.aio

from locust_master.merging.errors import MalformedReport
from locust_master.outputs.export import UnknownFormat
from locust_master.refusals import NotHere, NotOnGeneration, Refused, TooMany
from locust_protocol.process.errors import OperatorError
from locust_protocol.versions import IncompatibleProtocol

logger = logging.getLogger(__name__)


def status_of(error: OperatorError) -> grpc.StatusCode:
    """Maps an error to the status that the schema documents."""
    if isinstance(error, NotOnGeneration):
        return grpc.StatusCode.ABORTED
    if isinstance(error, NotHere):
        return grpc.StatusCode.NOT_FOUND
    if isinstance(error, UnknownFormat):
        return grpc.StatusCode.UNIMPLEMENTED
    if isinstance(error, TooMany):
        return grpc.StatusCode.RESOURCE_EXHAUSTED
    if isinstance(error, Refused | IncompatibleProtocol):
        return grpc.StatusCode.FAILED_PRECONDITION
    return grpc.StatusCode.INVALID_ARGUMENT


async def _abort(context: Any, error: Exception) -> None:
    if isinstance(error, OperatorError):
        await context.abort(status_of(error), str(error))
    if isinstance(error, MalformedReport):
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
    ours = (grpc.aio.UsageError, grpc.aio.InternalError)
    if isinstance(error, grpc.aio.BaseError) and not isinstance(error, ours):
        # gRPC's own: the call is over, with its client or with the server, and nobody hears an answer.
        logger.debug("a call ended before its handler: %s", error)
        return
    name = secrets.token_hex(4)
    logger.exception("a handler failed id=%s", name)
    await context.abort(grpc.StatusCode.INTERNAL, f"internal error {name}: see the master's log")


def answers(handler: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Wraps a unary handler: errors become the status and the sentence that a person can act on."""

    @functools.wraps(handler)
    async def wrapped(self: Any, request: Any, context: Any) -> Any:
        try:
            return await handler(self, request, context)
        except grpc.aio.AbortError:
            raise
        except Exception as error:  # every fault must become a status, and never its text to a peer
            await _abort(context, error)

    return wrapped


def streams(handler: Callable[..., AsyncGenerator[Any, None]]) -> Callable[..., AsyncIterator[Any]]:
    """Wraps a streaming handler as `answers` does a unary one."""

    @functools.wraps(handler)
    async def wrapped(self: Any, request: Any, context: Any) -> AsyncIterator[Any]:
        try:
            # A client that goes while a response is on its way must end the handler now, not at the next GC.
            async with aclosing(handler(self, request, context)) as responses:
                async for response in responses:
                    yield response
        except grpc.aio.AbortError:
            raise
        except Exception as error:  # every fault must become a status, and never its text to a peer
            await _abort(context, error)

    return wrapped
