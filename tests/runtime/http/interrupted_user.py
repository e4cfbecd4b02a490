"""A patched process whose users are stopped while they request; prints what was recorded, as JSON.

    python -m tests.runtime.http.interrupted_user KIND URL

Started by `test_interruption`. Patching must not happen in the process that runs the tests.
"""

# ruff: noqa: E402  (what is imported must find the patched modules)
from gevent import monkey

monkey.patch_all()

import json
import socket
import sys
from typing import Any

import gevent
import gevent.event
import gevent.socket
import requests
from gevent.pool import Group

from locust_runtime import users
from locust_runtime.environment import Environment
from locust_runtime.http.fast_user import FastHttpUser
from locust_runtime.http.users import HttpUser
from locust_runtime.tasks import task

SHORT_GRACE_S = 0.4
"""Shorter than the real one, which would only make the test longer."""

LONG_GRACE_S = 30.0
"""For an answer that comes in time, however busy the machine is."""

BEGUN = gevent.event.Event()


def get_slow(user: Any) -> None:
    user.client.get("/slow/named", name="a name")


def get_slow_unnamed(user: Any) -> None:
    user.client.get("/slow/unnamed")


def get_slow_behind_redirect(user: Any) -> None:
    user.client.get("/redirect?to=/slow/redirected", name="redirected")


def get_answered(user: Any) -> None:
    user.client.get("/slow/answered")


def stay_in_block(user: Any) -> None:
    with user.client.get("/ok", catch_response=True):
        BEGUN.set()
        gevent.sleep(60)


def stay_in_block_after_verdict(user: Any) -> None:
    with user.client.get("/ok", catch_response=True) as response:
        response.failure("said")
        BEGUN.set()
        gevent.sleep(60)


def connect_for_ever(user: Any) -> None:
    def never(*args: Any, **kwargs: Any) -> Any:
        BEGUN.set()
        gevent.sleep(60)

    socket.getaddrinfo = never
    gevent.socket.getaddrinfo = never
    user.client.get("http://localhost:1/", name="never")


SCENARIOS = {
    "named": get_slow,
    "unnamed": get_slow_unnamed,
    "redirected": get_slow_behind_redirect,
    "answered": get_answered,
    "block": stay_in_block,
    "verdict": stay_in_block_after_verdict,
    # last: names are not resolved any more after it
    "connecting": connect_for_ever,
}


def run(kind: str, scenario: str, url: str) -> dict[str, Any]:
    """One user through one scenario: what was recorded, and what the user's counter says after it."""
    BEGUN.clear()
    users.REQUEST_GRACE_S = LONG_GRACE_S if scenario == "answered" else SHORT_GRACE_S  # type: ignore[misc]
    base = {"requests": HttpUser, "fast": FastHttpUser}[kind]
    user_class: Any = type("Stopped", (base,), {"host": url, "job": task(SCENARIOS[scenario])})
    environment: Any = Environment(user_classes=[user_class])
    recorded: list[Any] = []
    interrupted: list[Any] = []

    def record(request_type: str, name: str, ms: Any, length: Any, error: Any) -> None:
        recorded.append([request_type, name, None if error is None else repr(error)])

    environment.events.request.record = record
    environment.record_interrupted = lambda request_type, name: interrupted.append([request_type, name])
    user = user_class(environment)
    greenlet = user.start(Group())
    wait_begun(scenario, url)
    if scenario == "answered":
        gevent.spawn(requests.get, url + "/release", timeout=LONG_GRACE_S)
    user.stop(force=True)
    return {
        "recorded": recorded,
        "interrupted": interrupted,
        "in_flight": user._requests_in_flight,
        "ended": greenlet.dead,
    }


def wait_begun(scenario: str, url: str) -> None:
    """Waits until the user is where its scenario wants it: in a block, or with a request at the target."""
    if scenario in ("block", "verdict", "connecting"):
        assert BEGUN.wait(LONG_GRACE_S)
        return
    with gevent.Timeout(LONG_GRACE_S):
        while not requests.get(f"{url}/asked?for=/slow/{scenario}", timeout=LONG_GRACE_S).json():
            gevent.sleep(0.01)


if __name__ == "__main__":
    print(json.dumps({scenario: run(sys.argv[1], scenario, sys.argv[2]) for scenario in SCENARIOS}))
