"""Both HTTP clients behind one shape, so that one table of behaviours drives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from locust_runtime.http.fast_session import FastHttpSession
from locust_runtime.http.session import HttpSession
from tests.runtime.http.target import Target, serving

HASTE_S = 0.2
"""For tests of what takes too long: short beside a test."""

PATIENCE_S = 30.0
"""For all others: a target that stands still for a moment is no failure."""


class Hook:
    """A request event that keeps what it is fired with."""

    def __init__(self) -> None:
        self.fired: list[dict[str, Any]] = []

    def fire(self, **kwargs: Any) -> None:
        self.fired.append(kwargs)


@dataclass
class Client:
    """A session with its event; `options` are what a request of it needs to time out soon, if it is hasty."""

    session: Any
    hook: Hook
    options: dict[str, Any]
    is_fast: bool

    @property
    def only(self) -> dict[str, Any]:
        """The one request that was reported."""
        assert len(self.hook.fired) == 1
        return self.hook.fired[0]


MakeClient = Callable[..., Client]


def make_requests_client(url: str, *, user: Any = None, is_hasty: bool = False, **options: Any) -> Client:
    hook = Hook()
    timeout = {"timeout": HASTE_S if is_hasty else PATIENCE_S}
    return Client(HttpSession(url, hook, user, **options), hook, timeout, is_fast=False)


def make_fast_client(url: str, *, user: Any = None, is_hasty: bool = False, **options: Any) -> Client:
    hook = Hook()
    timeout_s = HASTE_S if is_hasty else PATIENCE_S
    defaults = {"network_timeout": timeout_s, "connection_timeout": timeout_s, "concurrency": 10}
    return Client(FastHttpSession(url, hook, user, **{**defaults, **options}), hook, {}, is_fast=True)


@pytest.fixture(scope="session")
def running_target() -> Iterator[Target]:
    with serving() as target:
        yield target


@pytest.fixture
def target(running_target: Target) -> Target:
    running_target.served.clear()
    running_target.requests.clear()
    return running_target


@pytest.fixture
def slow_target() -> Iterator[Target]:
    """One of the test's own: what it is left waiting for comes to no other test's account."""
    with serving() as target:
        yield target


def _closing(make: MakeClient) -> Iterator[MakeClient]:
    made: list[Client] = []

    def keep(url: str, **options: Any) -> Client:
        made.append(make(url, **options))
        return made[-1]

    yield keep
    for client in made:
        (client.session.client if client.is_fast else client.session).close()


@pytest.fixture(params=[make_requests_client, make_fast_client], ids=["requests", "fast"])
def make_client(request: pytest.FixtureRequest) -> Iterator[MakeClient]:
    """Makes clients of either kind; they are closed behind the test."""
    yield from _closing(request.param)


@pytest.fixture
def make_fast() -> Iterator[MakeClient]:
    yield from _closing(make_fast_client)


@pytest.fixture
def make_requesting() -> Iterator[MakeClient]:
    yield from _closing(make_requests_client)


@pytest.fixture
def client(make_client: MakeClient, target: Target) -> Client:
    return make_client(target.url)


@pytest.fixture
def fast(make_fast: MakeClient, target: Target) -> Client:
    return make_fast(target.url)


@pytest.fixture
def requesting(make_requesting: MakeClient, target: Target) -> Client:
    return make_requesting(target.url)
