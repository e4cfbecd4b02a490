"""What stands between a peer and every handler: who may call, and what a peer is told when something breaks.

Roles stand in the schema beside each method. Until credentials exist, everybody holds every role, and
`allows` says so in one place.
"""

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
from locust_protocol.v1 import control_service_pb2, master_service_pb2, options_pb2
from locust_protocol.versions import IncompatibleProtocol

logger = logging.getLogger(__name__)

SERVICES = (master_service_pb2.DESCRIPTOR, control_service_pb2.DESCRIPTOR)


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


def role_of(method: str) -> options_pb2.Role.ValueType:
    """Returns the role that "/package.Service/Method" demands; ROLE_CONTROL where none is declared."""
    service_name, _, method_name = method.lstrip("/").partition("/")
    for file in SERVICES:
        for service in file.services_by_name.values():
            if service.full_name == service_name and method_name in service.methods_by_name:
                options = service.methods_by_name[method_name].GetOptions()
                return options.Extensions[options_pb2.role] or options_pb2.ROLE_CONTROL
    return _standard_role(service_name)


def _standard_role(service_name: str) -> options_pb2.Role.ValueType:
    if service_name == "grpc.health.v1.Health":
        return options_pb2.ROLE_NONE
    if service_name.startswith("grpc.reflection."):
        return options_pb2.ROLE_READ_ONLY
    return options_pb2.ROLE_CONTROL


class RoleInterceptor(grpc.aio.ServerInterceptor):
    """Refuses a call whose credential lacks the method's role."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Lets the call pass, or answers UNAUTHENTICATED in its place."""
        if not allows(role_of(handler_call_details.method)):
            return grpc.unary_unary_rpc_method_handler(_deny)
        return await continuation(handler_call_details)


def allows(role: options_pb2.Role.ValueType) -> bool:
    """True when the caller holds `role`. Everybody does until credentials exist."""
    return role != options_pb2.ROLE_UNSPECIFIED


async def _deny(request: Any, context: Any) -> None:
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, "no credential for this method")
