"""Stands before every handler: a call whose credential lacks the method's role is refused there.

Who guesses is answered later and later, so that nobody guesses fast; each address is logged once a minute.
Nothing that a caller sent is logged, and no handler sees a call that was refused.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import grpc
import grpc.aio

from locust_master.security.authorization import may_call, role_of
from locust_master.security.role_secrets import RoleSecrets
from locust_protocol.channels import PROCESS_METADATA
from locust_protocol.security.roles import AccessRole

logger = logging.getLogger(__name__)

BEARER = "Bearer "

FREE_FAILURES = 10
"""Refusals of an address in `FORGET_S` that are answered at once."""

FORGET_S = 60.0
TARPIT_S = 1.0
"""Seconds that a refusal takes after those."""

MAX_IN_TARPIT = 200
"""Calls that are held there; further ones are refused at once, which costs less than holding them."""

MAX_ADDRESSES = 4_000

_role_of = lru_cache(maxsize=256)(role_of)

NEW_SESSION = "/locust.v1.MasterService/Register"


@dataclass(slots=True)
class _Failures:
    since_s: float
    count: int = 0


class Gatekeeper(grpc.aio.ServerInterceptor):
    """Lets a call pass, or refuses it; `secrets` None: nobody needs any."""

    def __init__(self, secrets: RoleSecrets | None) -> None:
        self._secrets = secrets
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._in_tarpit = 0

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Lets the call pass, or answers in its place."""
        if self._secrets is None:
            return await continuation(handler_call_details)
        method = handler_call_details.method
        needed = _role_of(method)
        caller = self._caller(handler_call_details, is_session=method != NEW_SESSION)
        if may_call(caller, needed):
            return await continuation(handler_call_details)

        async def refuse(requests: Any, context: Any) -> None:
            await self._refuse(context, caller)

        # A handler of streams, whatever the method: it waits for no request.
        return grpc.stream_stream_rpc_method_handler(refuse)

    def _caller(self, details: grpc.HandlerCallDetails, *, is_session: bool) -> AccessRole | None:
        assert self._secrets is not None
        shown = process = ""
        for key, value in details.invocation_metadata or ():
            if isinstance(value, str):
                if key == "authorization":
                    shown = value
                elif key == PROCESS_METADATA:
                    process = value
        if not shown.startswith(BEARER):
            return None
        return self._secrets.role_of(shown[len(BEARER) :], process=process, is_session=is_session)

    async def _refuse(self, context: Any, caller: AccessRole | None) -> None:
        if caller is not None:
            await context.abort(
                grpc.StatusCode.PERMISSION_DENIED,
                f"a {caller.value} token does not allow this; `locust-master token --role control` prints "
                "one that does",
            )
        if self._note_failure(_host(context.peer())) > FREE_FAILURES and self._in_tarpit < MAX_IN_TARPIT:
            self._in_tarpit += 1
            try:
                await asyncio.sleep(TARPIT_S)
            finally:
                self._in_tarpit -= 1
        await context.abort(
            grpc.StatusCode.UNAUTHENTICATED,
            "no token of this master; `locust-master token` prints it on the master's machine",
        )

    def _note_failure(self, host: str) -> int:
        """Counts a refusal of an address, and returns how many there were lately."""
        now_s = time.monotonic()
        failures = self._failures.get(host)
        if failures is None or now_s - failures.since_s > FORGET_S:
            failures = self._failures[host] = _Failures(now_s)
            self._failures.move_to_end(host)
            if len(self._failures) > MAX_ADDRESSES:
                self._failures.popitem(last=False)
            logger.warning("a call without a token of this master was refused address=%s", host)
        failures.count += 1
        return failures.count


def _host(peer: str) -> str:
    """Returns the address of gRPC's "ipv4:10.0.0.5:40000" without its port."""
    kind, _, rest = unquote(peer).partition(":")
    return rest.rpartition(":")[0] if kind in ("ipv4", "ipv6") else peer
