"""The first look at the port: what is plainly taken is said at once, anything else is left to the server."""

from __future__ import annotations

import os
import re
import socket

import pytest

from locust_master.listening import bind_address, check_port_is_free
from locust_protocol.process.errors import UsageError
from tests.support.ports import free_port


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("*", "0.0.0.0:1"),
        ("", "0.0.0.0:1"),
        ("10.0.0.5", "10.0.0.5:1"),
        ("::1", "[::1]:1"),
        ("[::1]", "[::1]:1"),
    ],
)
def test_bind_address_takes_what_locust_s_users_give(host: str, address: str) -> None:
    """A star is all interfaces."""
    assert bind_address(host, 1) == address


@pytest.mark.parametrize("host", ["127.0.0.1", "*", ""])
def test_taken_port_is_refused_by_the_name_of_its_holder(host: str) -> None:
    """Whatever of this machine's addresses is asked for, somebody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        said = re.escape(f"{bind_address(host, port)}: the port is in use by pid {os.getpid()} ")
        with pytest.raises(UsageError, match=f"{said}.*--bind-port"):
            check_port_is_free(host, port)


@pytest.mark.parametrize("host", ["127.0.0.1", "*"])
def test_look_at_a_free_port_holds_nothing(host: str) -> None:
    """It is the server that listens, a moment later, on the same port."""
    check_port_is_free(host, port := free_port())
    with socket.create_server(("127.0.0.1", port)) as server:
        assert server.getsockname()[1] == port


@pytest.mark.parametrize(("host", "port"), [("no..host", 1), ("127.0.0.1", 0)])
def test_what_is_unclear_is_left_to_the_server(host: str, port: int) -> None:
    """A name may resolve a moment later; for port 0 there is nothing to look at."""
    check_port_is_free(host, port)


def test_port_of_a_listener_that_ended_is_free_while_its_connections_linger() -> None:
    """A master that is started again at once must come back to its workers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            listening.accept()[0].close()
            assert client.recv(1) == b""
    check_port_is_free("127.0.0.1", port)


def test_address_of_another_machine_is_refused_without_blaming_a_process() -> None:
    """Somebody may listen on that port here: that is not why."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(UsageError, match=rf"192\.0\.2\.1:{port}: the address is not of this machine;"):
            check_port_is_free("192.0.2.1", port)
