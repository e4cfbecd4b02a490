"""FastHttpUser's client: sends requests on the fast engine and reports each once.

The rules are HttpSession's but for what Locust does differently here too: the default name is the URL as
given, HEAD follows redirects, and good statuses are a list instead of everything below 400.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.cookiejar import CookieJar
from typing import Any, Final

from gevent import GreenletExit, ssl
from geventhttpclient.client import HTTPClientPool

from locust_runtime.http import flight
from locust_runtime.http.agent import LocustUserAgent
from locust_runtime.http.base_url import basic_auth_header, join_url, split_credentials
from locust_runtime.http.bodies import encode_body
from locust_runtime.http.fast_errors import FAILURES
from locust_runtime.http.fast_response import FastRequest, FastResponse, ResponseContextManager
from locust_runtime.http.places import Place, below, locate
from locust_runtime.http.tls import trusting_context, verifying_context

logger = logging.getLogger(__name__)

ACCEPTED_ENCODINGS: Final = "gzip, deflate, br"

REMEMBERED_PATHS: Final = 64
"""How many paths a user keeps taken apart: more than most locustfiles write down; ids must not pile up."""


class FastHttpSession:
    """Cookies, connections and default fields of one user.

    A path given as a URL is joined to `base_url`; `user:password@` in it becomes Basic authentication.
    """

    auth_header: str | None = None
    """The Authorization of every request that brings none; may be set at any time."""

    def __init__(
        self,
        base_url: str | None,
        request_event: flight.RequestHook,
        user: Any,
        insecure: bool = True,
        client_pool: HTTPClientPool | None = None,
        ssl_context_factory: Callable[..., ssl.SSLContext] | None = None,
        **options: Any,
    ) -> None:
        """`insecure` checks no certificate; with a `client_pool`, the pool's own settings count.

        `options`: `network_timeout`, `connection_timeout` (seconds), `max_redirects`, `max_retries`,
        `concurrency`, `headers`, `proxy_host`, `proxy_port`.
        """
        self.base_url = base_url
        self.request_event = request_event
        self.user = user
        self.request_name: str | None = None
        """While set, the name of requests that have none of their own."""
        self.cookiejar = CookieJar()
        self.client = LocustUserAgent(
            cookiejar=self.cookiejar,
            client_pool=client_pool,
            insecure=insecure,
            ssl_context_factory=ssl_context_factory or (trusting_context if insecure else verifying_context),
            **options,
        )
        self._base: Place | None = None
        self._places: dict[str, Place] = {}
        if base_url:
            self.base_url, credentials = split_credentials(base_url)
            if credentials is not None:
                self.auth_header = basic_auth_header(*credentials)

    @contextmanager
    def rename_request(self, name: str) -> Generator[None]:
        """Requests inside the block that have no name of their own are counted under `name`."""
        outer, self.request_name = self.request_name, name
        try:
            yield
        finally:
            self.request_name = outer

    def request(
        self,
        method: str,
        url: str,
        name: str | None = None,
        data: Any = None,
        catch_response: bool = False,
        stream: bool = False,
        headers: Mapping[str, Any] | None = None,
        auth: tuple[str | bytes, str | bytes] | None = None,
        json: Any = None,
        allow_redirects: bool = True,
        context: Mapping[str, Any] | None = None,
        params: Any = None,
        files: Any = None,
        debug_stream: Any = None,
        max_redirects: int | None = None,
        max_retries: int | None = None,
        **extra: Any,
    ) -> Any:
        """Sends a request and reports it.

        `name` is what statistics group by (default: `url` as given). With `catch_response` it is reported
        when the `with` block around it ends, which may call `success()` or `failure()`; with `stream` when
        the head of the answer is in. `context` joins what the user's `context()` returns. `data` is text,
        bytes, a form, a file or an iterable of blocks; `json` counts when there is no `data`. `debug_stream`
        gets the conversation as text. Other names become parameters, as in Locust.

        Returns a FastResponse; with `catch_response` a ResponseContextManager. Without an answer it has
        `status_code` 0, `content` None and the reason in `error`. Raises ValueError for a URL, method or
        field that HTTP does not allow.
        """
        if extra:
            data, params = _spread(extra, method, data, params)
        user = self.user
        body = encode_body(data, json, files)
        full_url = join_url(self.base_url, url)
        place = self._place(url, full_url, params)
        meta: flight.RequestMeta = {
            "request_type": method,
            "name": name or self.request_name or url,
            "context": {**(user.context() if user is not None else {}), **(context or {})},
            "exception": None,
            "url": full_url,
            "start_time": time.time(),
        }
        request = FastRequest(method.upper(), place.url, body.content)
        flight.begin(user)
        started = time.perf_counter()
        try:
            response = self.client.send(
                request,
                place,
                body,
                self._fields(headers, auth),
                response_type=ResponseContextManager if catch_response else FastResponse,
                max_redirects=_chosen(max_redirects, self.client.max_redirects) if allow_redirects else 0,
                max_retries=_chosen(max_retries, self.client.max_retries),
                debug_stream=debug_stream,
            )
            meta["response_length"] = _announced_length(response) if stream else _received_length(response)
        except GreenletExit:
            flight.interrupt(user, sent=request.sent, request_type=method, name=meta["name"])
            raise
        except BaseException:
            flight.drop(user)
            raise
        meta["response_time"] = (time.perf_counter() - started) * 1000
        self._land(response, meta)
        return response

    def _land(self, response: FastResponse, meta: flight.RequestMeta) -> None:
        """Reports the request, or leaves that to the response's `with` block."""
        meta["response"] = response
        meta["exception"] = response.error
        if isinstance(response, ResponseContextManager):
            response.request_meta = meta
            response._user = self.user
            response._request_event = self.request_event
            flight.pause(self.user)
        else:
            flight.record(self.user, self.request_event, meta)

    def get(self, url: str, **kwargs: Any) -> Any:
        """`request("GET", …)`"""
        return self.request("GET", url, **kwargs)

    def head(self, url: str, **kwargs: Any) -> Any:
        """`request("HEAD", …)`; follows redirects, unlike HttpUser's."""
        return self.request("HEAD", url, **kwargs)

    def options(self, url: str, **kwargs: Any) -> Any:
        """`request("OPTIONS", …)`"""
        return self.request("OPTIONS", url, **kwargs)

    def delete(self, url: str, **kwargs: Any) -> Any:
        """`request("DELETE", …)`"""
        return self.request("DELETE", url, **kwargs)

    def post(self, url: str, data: Any = None, json: Any = None, **kwargs: Any) -> Any:
        """`request("POST", …)`"""
        return self.request("POST", url, data=data, json=json, **kwargs)

    def put(self, url: str, data: Any = None, **kwargs: Any) -> Any:
        """`request("PUT", …)`"""
        return self.request("PUT", url, data=data, **kwargs)

    def patch(self, url: str, data: Any = None, **kwargs: Any) -> Any:
        """`request("PATCH", …)`"""
        return self.request("PATCH", url, data=data, **kwargs)

    def iter_lines(self, url: str, method: str = "GET", **kwargs: Any) -> Iterator[str]:
        """Requests `url` and yields the lines of the answer as they come, without their ends.

        Raises what `raise_for_status()` raises before the first line.
        """
        response = self.request(method, url, stream=True, **kwargs)
        response.raise_for_status()
        pending = ""
        for block in response.iter_content(chunk_size=1024, decode_content=True):
            pending += block if isinstance(block, str) else block.decode("utf-8", errors="replace")
            *lines, pending = pending.split("\n")
            yield from lines
        if pending:
            yield pending

    def _place(self, url: str, full_url: str, params: Any) -> Place:
        if params is not None or url is full_url:
            return locate(full_url, params)
        base = self._base
        # `base_url` may be changed at any time
        if base is None or base.url != self.base_url:
            self._places.clear()
            try:
                base = self._base = locate(self.base_url or "")
            except ValueError:
                return locate(full_url)
        place = self._places.get(url)
        if place is None:
            place = below(base, url) or locate(full_url)
            if len(self._places) >= REMEMBERED_PATHS:
                self._places.clear()
            self._places[url] = place
        return place

    def _fields(self, headers: Mapping[str, Any] | None, auth: Any) -> dict[str, Any]:
        fields: dict[str, Any] = {"Accept-Encoding": ACCEPTED_ENCODINGS}
        if self.auth_header is not None and auth is None:
            fields["Authorization"] = self.auth_header
        if headers:
            given = {name.lower() for name in headers}
            fields = {name: value for name, value in fields.items() if name.lower() not in given}
            fields.update(headers)
        if auth is not None:
            fields = {name: value for name, value in fields.items() if name.lower() != "authorization"}
            fields["Authorization"] = basic_auth_header(auth[0], auth[1])
        return fields


def _chosen(own: int | None, default: int) -> int:
    return default if own is None else own


def _announced_length(response: FastResponse) -> int:
    lengths = response.headers.getlist("content-length") if response.headers is not None else []
    return int(lengths[0]) if lengths else 0


def _received_length(response: FastResponse) -> int:
    """Reads the body; a body that cannot be read makes the request a failure."""
    try:
        return len(response.content or b"")
    except FAILURES as error:
        error.__traceback__ = None
        response.error = error
        return 0


def _spread(extra: dict[str, Any], method: str, data: Any, params: Any) -> tuple[Any, Any]:
    """Puts arguments of unknown names where Locust puts them, and says so once per set of names."""
    _warn_of_extra(tuple(sorted(extra)))
    if method.upper() == "POST":
        if data is None:
            return extra, params
        if isinstance(data, dict):
            return {**data, **extra}, params
    elif params is None:
        return data, extra
    elif isinstance(params, dict):
        return data, {**params, **extra}
    return data, params


@cache
def _warn_of_extra(names: tuple[str, ...]) -> None:
    logger.warning(
        "FastHttpUser has no argument %s; it is sent to the target as a parameter, as Locust does",
        ", ".join(names),
    )
