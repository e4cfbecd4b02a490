"""The response of HttpUser's client: a `requests.Response` that can also be a `with` block.

A response is turned into this class in place, so every attribute of requests stays what it is.
"""

from __future__ import annotations

from typing import Any, cast

import requests
from requests.exceptions import RequestException

from locust_runtime.http import flight
from locust_runtime.http.catching import CatchingResponse, Verdict
from locust_runtime.http.innermost import innermost_error


class ResponseContextManager(CatchingResponse, requests.Response):  # type: ignore[misc]  # __exit__ may swallow
    """A response of HttpSession; with `catch_response=True` its `with` block decides on the outcome."""

    error: RequestException | None = None
    """Why there is no answer; `status_code` is 0 then and `content` None."""
    js: Any = None
    """The parsed answer, in `rest()`."""
    _manual_result: Verdict = None
    _entered: bool = False
    _catch_response: bool = False
    _user: Any = None

    @classmethod
    def wrap(
        cls, response: requests.Response, *, session: Any, meta: flight.RequestMeta, catch_response: bool
    ) -> ResponseContextManager:
        """Turns `response` into this class, in place; `meta` is what will be reported."""
        response.__class__ = cls
        wrapped = cast(ResponseContextManager, response)
        wrapped._catch_response = catch_response
        wrapped._user = session.user
        wrapped._request_event = session.request_event
        wrapped.request_meta = meta
        return wrapped

    @classmethod
    def without_answer(
        cls, error: RequestException, request: requests.PreparedRequest
    ) -> ResponseContextManager:
        """What stands for the answer when there was none."""
        response = cls()
        response.error = error
        response.status_code = 0
        response.request = error.request if isinstance(error.request, requests.PreparedRequest) else request
        response.url = response.request.url or ""
        return response

    @property
    def ok(self) -> bool:
        """Whether there was an answer with a status below 400."""
        return 0 < self.status_code < 400

    def raise_for_status(self) -> None:
        """As in requests, but a verdict of the block counts more than the status.

        Raises the error that there was instead of an answer, the exception given to `failure()`, or
        `requests.HTTPError`.
        """
        if isinstance(self._manual_result, Exception):
            raise self._manual_result
        if self._manual_result:
            return
        if self.error is not None:
            raise self.error
        super().raise_for_status()

    def _status_error(self) -> BaseException | None:
        return status_error(self, name=self.request_meta["name"])


class RestResponseContextManager(ResponseContextManager):
    """What `HttpUser.rest` yields; named for annotations."""


LocustResponse = ResponseContextManager


def status_error(response: requests.Response, *, name: str) -> BaseException | None:
    """The failure that a response stands for by itself, or None.

    Its text names the request by `name` instead of its URL, so that one name gives one row of failures.
    """
    url, response.url = response.url, name
    try:
        response.raise_for_status()
    except RequestException as error:
        return innermost_error(error)
    finally:
        response.url = url
    return None
