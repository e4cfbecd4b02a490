"""The engine behind FastHttpSession: builds heads, keeps cookies, follows redirects, retries.

It knows nothing of statistics. Work that is the same for many requests is done once: the way to an origin,
and the block of fields of requests that give the same ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.cookiejar import CookieJar
from typing import IO, Any, Final

from geventhttpclient.client import IDEMPOTENT_METHODS, HTTPClientPool
from geventhttpclient.header import Headers
from geventhttpclient.useragent import RetriesExceeded

from locust_runtime.http import heads, jar
from locust_runtime.http.answer import Answer
from locust_runtime.http.bodies import Body
from locust_runtime.http.decoding import DECODING_ERRORS
from locust_runtime.http.exchange import exchange
from locust_runtime.http.fast_errors import FAILURES, LocustBadStatusCode
from locust_runtime.http.fast_response import ErrorResponse, FastRequest, FastResponse
from locust_runtime.http.places import Place, Route, default_user_agent, locate, route_to
from locust_runtime.http.redirects import REDIRECT_CODES, next_hop

GOOD_CODES: Final = frozenset((*range(200, 209), 226, 301, 302, 303, 304, 307, 308))

REMEMBERED_BLOCKS: Final = 32
"""How many sets of fields a user's agent keeps ready: more than a locustfile writes, few enough to forget."""

ResponseType = Callable[..., FastResponse]


class LocustUserAgent:
    """Sends requests over pooled connections, with one user's cookies and default fields."""

    valid_response_codes = GOOD_CODES
    redirect_response_codes = REDIRECT_CODES

    def __init__(
        self,
        *,
        cookiejar: CookieJar,
        client_pool: HTTPClientPool | None = None,
        headers: Mapping[str, str] | None = None,
        max_redirects: int = 30,
        max_retries: int = 0,
        **client_options: Any,
    ) -> None:
        """`client_options` go to geventhttpclient's HTTPClient, unless a `client_pool` is given."""
        self.cookiejar = cookiejar
        self.max_redirects = max_redirects
        self.max_retries = max_retries
        self.clientpool = HTTPClientPool(**client_options) if client_pool is None else client_pool
        self.default_headers = Headers({"User-Agent": default_user_agent()})
        self.default_headers.update(headers or {})
        self._routes: dict[tuple[str, str, int | None], Route] = {}
        self._blocks: dict[Any, heads.FieldBlock] = {}
        self._blocks_made_with: dict[str, Any] = {}

    def close(self) -> None:
        """Closes all connections; the next request makes new ones."""
        self.clientpool.close()

    def send(
        self,
        request: FastRequest,
        place: Place,
        body: Body,
        fields: Mapping[str, Any],
        *,
        response_type: ResponseType = FastResponse,
        max_redirects: int,
        max_retries: int,
        debug_stream: IO[str] | None = None,
    ) -> FastResponse:
        """Sends a request and follows where it leads; `max_redirects=0` follows nothing.

        Returns a response whose body is not read yet. Errors in `FAILURES` are not raised: the response has
        them in `error`.
        """
        history: list[FastResponse] = []
        first_host = place.host
        try:
            block = self._block(place, fields, body)
            while True:
                cookie = self._cookie_line(place, block, first_host, redirected=bool(history))
                started = time.perf_counter()
                answer = self._exchange(request, place, block, cookie, body, max_retries)
                response = response_type(request, answer, elapsed_s=time.perf_counter() - started)
                if debug_stream is not None:
                    debug_stream.write(_conversation(request, response))
                head = answer.head.lower()
                if b"\nset-cookie:" in head:
                    jar.keep_cookies(
                        self.cookiejar,
                        place,
                        response.headers,
                        first_host=first_host,
                        redirected=bool(history),
                    )
                if not (
                    max_redirects and answer.status in self.redirect_response_codes and b"\nlocation:" in head
                ):
                    break
                if len(history) == max_redirects:
                    raise RetriesExceeded(history[0].url, f"Redirection limit reached ({max_redirects})")
                history.append(response)
                hop = next_hop(
                    method=request.method,
                    url=request.url,
                    body=body,
                    status=answer.status,
                    location=response.headers.getlist("location")[0],
                )
                with suppress(*DECODING_ERRORS):
                    # read to its end, the answer leaves a connection that can be used again
                    _ = response.content
                fields = {
                    name: value for name, value in fields.items() if name.lower() not in hop.dropped_fields
                }
                body, place = hop.body, locate(hop.url)
                request = FastRequest(hop.method, hop.url, body.content)
                block = self._block(place, fields, body)
        except FAILURES as error:
            # a traceback would keep every frame, and with them this response, alive in a cycle
            error.__traceback__ = None
            return self._failed(request, error, response_type)
        response.history = history
        if answer.status not in self.valid_response_codes:
            response.error = LocustBadStatusCode(request.url, code=answer.status)
        return response

    def _failed(
        self, request: FastRequest, error: BaseException, response_type: ResponseType
    ) -> FastResponse:
        if response_type is FastResponse:
            return ErrorResponse(request, error)
        return response_type(request, None, error=error)

    def _exchange(
        self,
        request: FastRequest,
        place: Place,
        block: heads.FieldBlock,
        cookie: str,
        body: Body,
        retries: int,
    ) -> Answer:
        """Sends one request, again after a timeout while `retries` and its method allow that."""
        route = self._route(place)
        method = request.method
        heads.check_method(method)
        length = heads.length_line(block, method, body.length)
        request.head = (
            f"{method} {route.target_prefix}{place.target} HTTP/1.1\r\n{block.text}{cookie}{length}\r\n"
        ).encode("latin-1")
        chunked = block.is_chunked or body.length is None
        if not retries:
            return exchange(route.pool, request, body, chunked=chunked)
        for retry in range(retries + 1):
            try:
                return exchange(route.pool, request, body, chunked=chunked)
            except (TimeoutError, BrokenPipeError) as error:
                if retry == retries or method not in IDEMPOTENT_METHODS or body.is_stream:
                    raise RetriesExceeded(request.url, retry, original=error) from error
        raise AssertionError("a loop that returns or raises")

    def _route(self, place: Place) -> Route:
        route = self._routes.get(place.origin)
        # a locustfile may close its pool to begin with new connections
        if route is None or route.is_closed:
            route = self._routes[place.origin] = route_to(place, self.clientpool)
        return route

    def _cookie_line(
        self, place: Place, block: heads.FieldBlock, first_host: str, *, redirected: bool
    ) -> str:
        if block.has_cookie or jar.is_empty(self.cookiejar):
            return ""
        return jar.cookie_line(self.cookiejar, place, first_host=first_host, redirected=redirected)

    def _block(self, place: Place, fields: Mapping[str, Any], body: Body) -> heads.FieldBlock:
        """The fields of a request as lines, from memory where the same were asked for before."""
        # the default fields are there for locustfiles to change
        if not dict.__eq__(self.default_headers, self._blocks_made_with):
            self._blocks.clear()
            self._blocks_made_with = {
                key: list(value) if isinstance(value, list) else value
                for key, value in dict.items(self.default_headers)
            }
        try:
            key = (place.origin, body.fields, *fields.items())
            remembered = self._blocks.get(key)
        except TypeError:
            # a value that cannot be hashed, such as a list
            return self._make_block(place, fields, body)
        if remembered is None:
            if len(self._blocks) >= REMEMBERED_BLOCKS:
                self._blocks.clear()
            remembered = self._blocks[key] = self._make_block(place, fields, body)
        return remembered

    def _make_block(self, place: Place, fields: Mapping[str, Any], body: Body) -> heads.FieldBlock:
        of_body = dict(body.fields)
        defaults: tuple[Mapping[str, Any], ...] = (of_body, self.default_headers)
        if body.replaces_defaults:
            defaults = (self.default_headers, of_body)
        return heads.field_block(heads.merge_fields(self._route(place).fields, *defaults, fields))


def _conversation(request: FastRequest, response: FastResponse) -> str:
    sent = request.head.decode("latin-1")
    if isinstance(request.payload, bytes) and request.payload:
        sent += request.payload.decode("utf-8", errors="replace") + "\n\n"
    assert response.stream is not None
    received = response.stream.head.decode("latin-1")
    return f"REQUEST: {request.url}\n{sent}RESPONSE: {received}\n\n{response.text}\n\n"
