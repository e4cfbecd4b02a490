"""`rest()` and `rest_()` of both users."""

from __future__ import annotations

import re
from typing import Any

import pytest

from locust_runtime.exceptions import RescheduleTask
from locust_runtime.http.rest import RestMixin
from tests.runtime.http.conftest import Client, MakeClient
from tests.runtime.http.target import refused_url


class RestUser(RestMixin[Any]):
    """A user as far as `rest` knows one."""

    def __init__(self, client: Client) -> None:
        self.client = client.session


@pytest.fixture
def user(client: Client) -> RestUser:
    return RestUser(client)


def test_rest_gives_the_parsed_answer(user: RestUser, client: Client) -> None:
    """The point of it."""
    with user.rest("GET", "/json") as response:
        assert response.js == {"answer": 42}
    assert client.only["exception"] is None


def test_rest_sends_and_accepts_json(user: RestUser) -> None:
    """Unless the locustfile says otherwise."""
    with user.rest("POST", "/echo", json={"a": 1}) as response:
        assert response.js["body"] == '{"a": 1}'
        assert response.js["headers"]["content-type"] == "application/json"
        assert response.js["headers"]["accept"] == "application/json"
    with user.rest("GET", "/echo", headers={"accept": "text/x"}) as response:
        assert response.js["headers"]["accept"] == "text/x"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (AssertionError("too few"), "too few"),
        (AssertionError("too few,"), 'too few, response was {"answer": 42}'),
        (AssertionError(), "Assertion failed"),
        (AssertionError(12), "12"),
    ],
)
def test_failed_assertion_is_the_failure_and_stops_there(
    user: RestUser, client: Client, error: AssertionError, text: str
) -> None:
    """A comma at its end asks for the answer to be shown."""
    with user.rest("GET", "/json"):
        raise error
    assert client.only["exception"].args == (text,)


def test_other_exception_is_a_failure_with_its_place(user: RestUser, client: Client) -> None:
    """A key that is missing in the answer, and where it was asked for."""
    with user.rest("GET", "/json") as response:
        response.js["missing"]
    text = client.only["exception"].args[0]
    assert re.fullmatch(
        r"KeyError: 'missing' at \S*test_rest\.py:\d+ in test_\w+\. Response was \{\"answer\": 42\}", text
    )


def test_exception_that_steers_the_user_passes_after_the_record(user: RestUser, client: Client) -> None:
    """The task ends, and the request that was made counts."""
    with pytest.raises(RescheduleTask), user.rest("GET", "/json"):
        raise RescheduleTask
    assert client.only["exception"] is None


@pytest.mark.parametrize("path", ["/ok", "/status/404"])
def test_answer_that_is_no_json_is_a_failure(user: RestUser, client: Client, path: str) -> None:
    """With its begin, so that an error page shows."""
    with user.rest("GET", path) as response:
        assert response.js is None
    text = client.only["exception"].args[0]
    assert text.startswith(f"Could not parse response as JSON. {response.text}, response code ")


def test_empty_answer_is_none_and_judged_by_status(user: RestUser, client: Client) -> None:
    """204 has nothing to parse."""
    with user.rest("DELETE", "/status/204") as response:
        assert response.js is None
    assert client.only["exception"] is None


def test_rest_without_an_answer_is_a_failure_with_the_reason(make_client: MakeClient) -> None:
    """The innermost error, the same for both clients."""
    client = make_client(refused_url())
    with RestUser(client).rest("GET", "/json") as response:
        assert response.js is None
        assert response.status_code == 0
    assert client.only["exception"].args == ("[Errno 111] Connection refused",)


@pytest.mark.parametrize(("path", "joint"), [("/json", "?"), ("/json?a=1", "&")])
def test_rest_with_underscore_adds_the_time_but_not_to_the_name(
    user: RestUser, client: Client, path: str, joint: str
) -> None:
    """No cache answers, and all are one row."""
    with user.rest_("GET", path) as response:
        assert re.search(rf"{re.escape(joint)}_=\d{{13}}$", response.url)
    assert client.only["name"] == f"{path}{joint}_=..."
