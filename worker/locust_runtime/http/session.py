"""HttpUser's client: a `requests.Session` that knows its host and reports every request once.

All of requests stays usable; what is added are the arguments `name`, `catch_response` and `context`.
A request never goes unreported but for three reasons: an exception of the locustfile's own `with` block,
a URL that is none, and the end of the user while it was on the wire (which is counted as interrupted).
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import requests
from gevent import GreenletExit
from requests.auth import HTTPBasicAuth
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema, RequestException
from urllib3 import PoolManager

from locust_runtime.http import flight
from locust_runtime.http.adapter import LocustHttpAdapter
from locust_runtime.http.base_url import join_url, split_credentials
from locust_runtime.http.response import (
    LocustResponse,
    ResponseContextManager,
    RestResponseContextManager,
    status_error,
)

__all__ = [
    "HttpSession",
    "LocustHttpAdapter",
    "LocustResponse",
    "ResponseContextManager",
    "RestResponseContextManager",
]


class HttpSession(requests.Session):
    """Cookies, connections and headers of one user; see `requests.Session`.

    A path given as a URL is joined to `base_url`; `user:password@` in it becomes Basic authentication.
    Proxies and credentials of the environment are not looked at (`trust_env`).
    """

    def __init__(
        self,
        base_url: str,
        request_event: flight.RequestHook,
        user: Any,
        *args: Any,
        pool_manager: PoolManager | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.trust_env = False
        self.request_event = request_event
        self.user = user
        self.request_name: str | None = None
        """While set, the name of requests that have none of their own."""
        self.base_url, credentials = split_credentials(base_url)
        if credentials is not None:
            self.auth = HTTPBasicAuth(*credentials)
        self.mount("https://", LocustHttpAdapter(pool_manager=pool_manager))
        self.mount("http://", LocustHttpAdapter(pool_manager=pool_manager))

    @contextmanager
    def rename_request(self, name: str) -> Generator[None]:
        """Requests inside the block that have no name of their own are counted under `name`."""
        outer, self.request_name = self.request_name, name
        try:
            yield
        finally:
            self.request_name = outer

    def request(  # type: ignore[override]
        self,
        method: str,
        url: str,
        name: str | None = None,
        catch_response: bool = False,
        context: Mapping[str, Any] | None = None,
        *,
        params: Any = None,
        data: Any = None,
        json: Any = None,
        headers: Any = None,
        cookies: Any = None,
        files: Any = None,
        auth: Any = None,
        hooks: Any = None,
        proxies: Any = None,
        stream: bool | None = None,
        verify: Any = None,
        cert: Any = None,
        timeout: Any = None,
        allow_redirects: bool = True,
    ) -> ResponseContextManager:
        """Sends a request and reports it; the arguments of `requests.request`, and three more.

        `name` is what statistics group by (default: path and query as first sent, before any redirect).
        With `catch_response` the request is reported when the `with` block around it ends, which may call
        `success()` or `failure()`. `context` joins what the user's `context()` returns.

        Without an answer (refused, reset, timed out) the response has `status_code` 0, `content` None and
        the reason in `error`. Raises MissingSchema, InvalidSchema and InvalidURL for a URL that is none.
        """
        prepared = self.prepare_request(
            requests.Request(
                method=method.upper(),
                url=join_url(self.base_url, url),
                headers=headers,
                files=files,
                data=data or {},
                json=json,
                params=params or {},
                auth=auth,
                cookies=cookies,
                hooks=hooks,
            )
        )
        assert prepared.url is not None
        settings = self.merge_environment_settings(prepared.url, proxies or {}, stream, verify, cert)
        meta: flight.RequestMeta = {
            "request_type": method,
            "name": name or self.request_name or prepared.path_url,
            "context": {**(self.user.context() if self.user is not None else {}), **(context or {})},
            "exception": None,
            "url": prepared.url,
            "start_time": time.time(),
        }
        options = {"timeout": timeout, "allow_redirects": allow_redirects, **settings}
        response = self._send_in_flight(prepared, options, meta)
        return self._land(response, meta, stream=bool(options["stream"]), catch_response=catch_response)

    def _land(
        self, response: requests.Response, meta: flight.RequestMeta, *, stream: bool, catch_response: bool
    ) -> ResponseContextManager:
        """Reports the request, or leaves that to the response's `with` block."""
        meta["response"] = response
        if stream:
            # the length as announced: reading the body is the locustfile's to do
            meta["response_length"] = int(response.headers.get("content-length") or 0)
        else:
            meta["response_length"] = len(response.content or b"")
        wrapped = ResponseContextManager.wrap(
            response, session=self, meta=meta, catch_response=catch_response
        )
        if catch_response:
            flight.pause(self.user)
        else:
            meta["exception"] = status_error(wrapped, name=meta["name"])
            flight.record(self.user, self.request_event, meta)
        return wrapped

    def _send_in_flight(
        self, prepared: requests.PreparedRequest, options: dict[str, Any], meta: flight.RequestMeta
    ) -> requests.Response:
        """Sends, and puts the time it took into `meta`. The flight goes on when this returns, and is over
        when this raises."""
        flight.begin(self.user)
        started = time.perf_counter()
        try:
            response = self.send(prepared, **options)
        except RequestException as error:
            if isinstance(error, MissingSchema | InvalidSchema | InvalidURL) and not _followed_redirect(
                error.__traceback__
            ):
                flight.drop(self.user)
                raise
            response = ResponseContextManager.without_answer(error, prepared)
        except GreenletExit as error:
            flight.interrupt(
                self.user,
                sent=_reached_target(error.__traceback__),
                request_type=meta["request_type"],
                name=meta["name"],
            )
            raise
        except BaseException:
            flight.drop(self.user)
            raise
        meta["response_time"] = (time.perf_counter() - started) * 1000
        return response


def _frames(traceback: TracebackType | None) -> Generator[tuple[str, str]]:
    """Module and function of each frame that an exception passed through."""
    while traceback is not None:
        frame = traceback.tb_frame
        yield frame.f_globals.get("__name__", ""), frame.f_code.co_name
        traceback = traceback.tb_next


def _followed_redirect(traceback: TracebackType | None) -> bool:
    return ("requests.sessions", "resolve_redirects") in _frames(traceback)


def _reached_target(traceback: TracebackType | None) -> bool:
    """Whether an interrupted request may have been seen by the target.

    urllib3 does not tell, so the place where it was interrupted does: while it waits for a connection or
    makes one, nothing was sent, unless a redirect led there.
    """
    frames = list(_frames(traceback))
    if ("requests.sessions", "resolve_redirects") in frames:
        return True
    connecting = ("urllib3.connection", "connect") in frames
    waiting = ("urllib3.connectionpool", "_get_conn") in frames
    return not (connecting or waiting)
