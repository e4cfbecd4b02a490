"""`rest()` and `rest_()`: a request in a `with` block whose answer is JSON, and which cannot go unrecorded.

Shared by both HTTP users; knows only the `request` method of their clients.
"""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Generic, TypeVar

from locust_runtime.exceptions import (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopTest,
    StopUser,
)
from locust_runtime.http.innermost import innermost_error

ResponseT = TypeVar("ResponseT")

INVALID_JSON_SHOWN_CHARS: Final = 250
"""How much of an answer that is no JSON stands in its failure text: enough to see an error page's title."""
ANSWER_SHOWN_CHARS: Final = 200
"""How much of an answer stands in the failure text of a failed assertion."""

_HOME: Final = re.compile(r"/(home|Users)/\w*/")

# These steer the user; they say nothing about the answer.
_CONTROL: Final = (StopUser, StopTest, RescheduleTask, RescheduleTaskImmediately, InterruptTaskSet)


class RestMixin(Generic[ResponseT]):
    """`rest` and `rest_` for a user with an HTTP `client`."""

    client: Any

    @contextmanager
    def rest(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, **kwargs: Any
    ) -> Generator[ResponseT]:
        """A request with JSON headers, `catch_response`, and the parsed answer in `response.js`.

        `js` is None without a body. A body that is no JSON is a failure, and so is any exception that leaves
        the block (a failed assertion with its text), which ends there: the code behind the block runs.
        Exceptions that steer the user (`StopUser`, `InterruptTaskSet`, …) pass after the request is recorded.
        """
        fields = dict(headers) if headers else {}
        given = {field.lower() for field in fields}
        if "content-type" not in given:
            fields["Content-Type"] = "application/json"
        if "accept" not in given:
            fields["Accept"] = "application/json"
        control: Exception | None = None
        with self.client.request(method, url, catch_response=True, headers=fields, **kwargs) as response:
            _parse(response)
            try:
                yield response
            except AssertionError as error:
                response.failure(_assertion_text(error, response))
            except _CONTROL as error:
                control = error
            except Exception as error:
                response.failure(_exception_text(error, response))
        if control is not None:
            raise control

    @contextmanager
    def rest_(self, method: str, url: str, name: str | None = None, **kwargs: Any) -> Generator[ResponseT]:
        """`rest` with `_=<milliseconds>` in the query, so that no cache answers; named `…_=...`."""
        joint = "&" if "?" in url else "?"
        stamped = f"{url}{joint}_={int(time.time() * 1000)}"
        with self.rest(method, stamped, name=name or f"{url}{joint}_=...", **kwargs) as response:
            yield response


def _parse(response: Any) -> None:
    response.js = None
    if response.content is None:
        response.failure(str(innermost_error(response.error)))
    elif response.content:
        try:
            response.js = response.json()
        except ValueError as error:
            response.failure(
                f"Could not parse response as JSON. {response.text[:INVALID_JSON_SHOWN_CHARS]}, "
                f"response code {response.status_code}, error {error}"
            )


def _shown(response: Any) -> str | None:
    text: str | None = response.text
    return text[:ANSWER_SHOWN_CHARS] if text else text


def _assertion_text(error: AssertionError, response: Any) -> str:
    if not error.args:
        return "Assertion failed"
    text = str(error.args[0])
    if text.endswith(","):
        return f"{text[:-1]}, response was {_shown(response)}"
    return text


def _exception_text(error: Exception, response: Any) -> str:
    # the first frame is `rest` itself
    frames = traceback.extract_tb(error.__traceback__)[1:]
    places = (f"{_HOME.sub('~/', frame.filename)}:{frame.lineno} in {frame.name}" for frame in frames)
    return f"{type(error).__name__}: {error} at {', '.join(places)}. Response was {_shown(response)}"
