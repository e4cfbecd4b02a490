"""The demo target as tests and newcomers use it: started by path, counting, ending at once."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Command
from tests.support.target import DEMO_TARGET, START_DEADLINE_S, Target
from tests.support.wait import wait_until

TIMEOUT_S = 60.0


@pytest.fixture(scope="module")
def running_target() -> Iterator[Target]:
    with Target() as target:
        yield target


@pytest.fixture
def target(running_target: Target) -> Target:
    """One process for the module, counting from nothing for each test."""
    running_target.reset()
    return running_target


def ask(
    target: Target,
    path: str,
    *,
    method: str = "GET",
    body: str | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=TIMEOUT_S)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/", None, 200),
        ("GET", "/products", None, 200),
        ("GET", "/products/20", None, 200),
        ("GET", "/products/21", None, 404),
        ("GET", "/search?q=red", None, 200),
        ("POST", "/cart", '{"product_id": 1}', 201),
        ("POST", "/cart", '{"product_id": "1"}', 404),
        ("POST", "/cart", "[]", 400),
        ("POST", "/cart", "{", 400),
        ("POST", "/checkout", "{}", 200),
        ("GET", "/slow", None, 200),
        ("GET", "/error", None, 200),
        ("GET", "/bytes/10", None, 200),
        ("GET", "/bytes/99999999", None, 400),
        ("GET", "/delay/1", None, 200),
        ("GET", "/delay/60001", None, 400),
        ("GET", "/status/503", None, 503),
        ("GET", "/health", None, 200),
        ("GET", "/nothing", None, 404),
        ("DELETE", "/cart", None, 405),
    ],
)
def test_target_answers_and_counts_once_whatever_the_status(
    target: Target, method: str, path: str, body: str | None, status: int
) -> None:
    """A refused request was received too, and generators count it."""
    assert ask(target, path, method=method, body=body)[0] == status
    assert target.counts() == {f"{method} {path.partition('?')[0]}": 1}


def test_target_does_not_count_its_own_routes(target: Target) -> None:
    """Looking must not change what is seen."""
    target.counts()
    target.users()
    assert (target.total(), target.counts(), target.arrivals()) == (0, {}, [])


def test_target_counts_every_request_of_a_kept_connection(target: Target) -> None:
    """Load generators reuse connections and pipeline at times."""
    with socket.create_connection(("127.0.0.1", target.port), timeout=TIMEOUT_S) as client:
        client.sendall(b"GET /products?page=1 HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        wait_until(lambda: target.total() == 50, deadline_s=TIMEOUT_S, describe=lambda: str(target.total()))
    assert target.counts() == {"GET /products": 50}
    assert sum(target.arrivals()) == 50


def test_target_counts_a_request_whose_client_left(target: Target) -> None:
    """It was received; the generator calls it interrupted, and the sum must come out even."""
    with socket.create_connection(("127.0.0.1", target.port), timeout=TIMEOUT_S) as client:
        client.sendall(b"GET /delay/200 HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until(lambda: target.total() == 1, deadline_s=TIMEOUT_S, describe="the request")
    assert ask(target, "/delay/300")[0] == 200, "by then the answer to the one that left was due"
    assert target.counts() == {"GET /delay/200": 1, "GET /delay/300": 1}


def test_target_does_not_count_bytes_that_are_no_request(target: Target) -> None:
    """No generator counts them either."""
    with socket.create_connection(("127.0.0.1", target.port), timeout=TIMEOUT_S) as client:
        client.sendall(b"\x16\x03\x01 not http\r\n\r\n")
        assert b" 400 " in client.recv(4096)
    assert target.total() == 0


def test_target_counts_by_user_header(target: Target) -> None:
    """Tests of user placement tell users apart by a header."""
    for user in ("a", "b", "a"):
        ask(target, "/", headers={"X-User": user})
    ask(target, "/")
    assert target.users() == {"a": 2, "b": 1}
    assert target.total() == 4


def test_target_writes_its_port_to_a_file(tmp_path: Path) -> None:
    """A Makefile that cannot read its output waits for the file."""
    port_file = tmp_path / "port"
    with Target(options=("--port-file", str(port_file))) as target:
        assert port_file.read_text() == f"{target.port}\n"
        assert list(tmp_path.iterdir()) == [port_file]


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_target_ends_with_0_when_told_to_while_a_request_is_served(signal_number: signal.Signals) -> None:
    """Neither an open connection nor a slow request holds it up."""
    with Target() as target, socket.create_connection(("127.0.0.1", target.port)) as client:
        client.sendall(b"GET /delay/60000 HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: target.total() == 1, deadline_s=TIMEOUT_S, describe="the request")
        target.command.send_signal(signal_number)
        assert target.command.wait_for_exit(deadline_s=TIMEOUT_S) == 0
        assert target.command.stderr() == ""


def test_target_says_so_and_exits_2_when_the_port_is_taken(target: Target) -> None:
    """One line, no traceback."""
    with Command([sys.executable, DEMO_TARGET, "--port", str(target.port)]) as second:
        assert second.wait_for_exit(deadline_s=START_DEADLINE_S) == 2
        assert second.stderr().startswith(f"cannot listen on 127.0.0.1:{target.port}: ")
        assert second.stderr().count("\n") == 1


def test_target_fails_the_same_requests_for_the_same_seed() -> None:
    """A demonstration that differs each time cannot be talked about."""
    outcomes = []
    for _ in range(2):
        with Target(instant=False, options=("--seed", "7")) as target:
            outcomes.append([ask(target, "/error")[0] for _ in range(20)])
    assert outcomes[0] == outcomes[1]
    assert set(outcomes[0]) == {200, 500}


def test_target_answers_are_json_that_names_what_was_bought(target: Target) -> None:
    """The locustfile example reads them."""
    _, added = ask(target, "/cart", method="POST", body='{"product_id": 3, "quantity": 2}')
    assert json.loads(added) == {"added": "green mug", "quantity": 2}
    _, paid = ask(target, "/checkout", method="POST", body="{}")
    assert json.loads(paid)["status"] == "paid"
