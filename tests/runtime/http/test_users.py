"""HttpUser and FastHttpUser as classes of a locustfile, and what is special about HttpUser's client."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import requests
from urllib3 import PoolManager

from locust_runtime.exceptions import LocustError, StopTest
from locust_runtime.http.fast_user import FastHttpUser
from locust_runtime.http.users import HttpUser
from tests.runtime.http.conftest import Client, Hook, MakeClient
from tests.runtime.http.target import Target

BOTH = pytest.mark.parametrize("base", [HttpUser, FastHttpUser])


def environment() -> Any:
    return SimpleNamespace(events=SimpleNamespace(request=Hook()))


@BOTH
def test_user_without_a_host_ends_the_test_with_a_remedy(base: Any) -> None:
    """No user of the class could start."""
    user_class = type("Homeless", (base,), {})
    with pytest.raises(LocustError, match=r"Homeless has no host .* --host") as caught:
        user_class(environment())
    assert isinstance(caught.value, StopTest)


@BOTH
def test_classes_are_abstract_and_their_subclasses_are_not(base: Any) -> None:
    """A locustfile that imports them gets no users of them."""
    assert base.abstract
    own: Any = type("Own", (base,), {})
    assert not own.abstract


@BOTH
def test_user_reports_to_its_environment_and_counts_its_flights(base: Any, target: Target) -> None:
    """The client belongs to the user: host, event, context, counter."""

    class Own(base):  # type: ignore[misc]
        host = target.url

        def context(self) -> dict[str, Any]:
            return {"in flight": self._requests_in_flight}

    surroundings = environment()
    user = Own(surroundings)
    with user.rest("GET", "/json") as response:
        assert response.js == {"answer": 42}
        assert user._requests_in_flight == 1
    assert user._requests_in_flight == 0
    assert surroundings.events.request.fired[0]["name"] == "/json"
    (user.client if base is HttpUser else user.client.client).close()


@BOTH
def test_user_that_is_to_stop_leaves_after_its_request(base: Any, target: Target) -> None:
    """The request is recorded first."""

    class Own(base):  # type: ignore[misc]
        host = target.url
        left_with = -1

        def _exit_between_requests(self) -> None:
            self.left_with = len(self.environment.events.request.fired)

    user = Own(environment())
    user._exit_after_request = True
    user.client.get("/ok")
    assert user.left_with == 1
    with user.client.get("/ok", catch_response=True):
        assert user.left_with == 1
    assert user.left_with == 2
    (user.client if base is HttpUser else user.client.client).close()


def test_fast_user_hands_its_attributes_to_its_client() -> None:
    """They are read when a user starts."""

    class Own(FastHttpUser):
        host = "http://h"
        network_timeout = 1.5
        connection_timeout = 2.5
        max_redirects = 3
        max_retries = 4
        concurrency = 5
        default_headers = {"X-Own": "1"}  # noqa: RUF012

    agent = Own(environment()).client.client
    pool = agent.clientpool.get_client("http://h")._connection_pool
    assert (pool.network_timeout, pool.connection_timeout, pool.size) == (1.5, 2.5, 5)
    assert (agent.max_redirects, agent.max_retries) == (3, 4)
    assert agent.default_headers["x-own"] == "1"


def test_requests_client_is_a_session_of_requests(requesting: Client) -> None:
    """Its types and features are those of requests."""
    session = requesting.session
    session.headers["X-All"] = "1"
    session.params = {"p": "1"}
    seen: list[str] = []
    response = session.get("/echo", hooks={"response": lambda answer, **_: seen.append(answer.url)})
    assert isinstance(session, requests.Session)
    assert isinstance(response, requests.Response)
    assert response.json()["headers"]["x-all"] == "1"
    assert response.json()["path"] == "/echo?p=1"
    assert seen == [response.url]
    assert requesting.only["name"] == "/echo?p=1"


def test_requests_client_ignores_proxies_of_the_environment(
    requesting: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Load goes where the host says."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert requesting.session.get("/ok").status_code == 200


def test_requests_client_does_not_follow_redirects_of_head(requesting: Client) -> None:
    """As in requests."""
    assert requesting.session.head("/redirect/1").status_code == 302


def test_requests_client_names_by_the_quoted_path(requesting: Client) -> None:
    """As it is sent, parameters included."""
    requesting.session.get("/a b", params={"x": 1})
    assert requesting.only["name"] == "/a%20b?x=1"


def test_pool_manager_is_shared_between_sessions(make_requesting: MakeClient, target: Target) -> None:
    """Users of one class over one connection."""
    pool = PoolManager(maxsize=1)
    before = target.connections
    for _ in range(3):
        make_requesting(target.url, pool_manager=pool).session.get("/ok")
    assert target.connections == before + 1
    pool.clear()
