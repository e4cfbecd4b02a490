"""The chaos proxy forwards faithfully, and each of its faults is what it says."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from tests.support.chaos_proxy import (
    ChaosProxy,
    Cut,
    Delay,
    Direction,
    Flip,
    HalfClose,
    Hang,
    Heal,
    Insert,
    Rate,
    Refuse,
    TimedFault,
)
from tests.support.ports import free_port
from tests.support.wait import wait_until

DEADLINE_S = 30.0
SILENCE_S = 0.3
"""How long nothing has to come for it to count as silence."""


class Echo:
    """Sends back what it gets; a connection that was ended in one direction gets `b"bye"` back."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.ends: list[str] = []
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in (self._acceptor, *self._threads):
            thread.join(DEADLINE_S)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                thread.start()
                self._threads.append(thread)

    def _serve(self, connection: socket.socket) -> None:
        with closing(connection):
            try:
                while data := connection.recv(65536):
                    connection.sendall(data)
                self.ends.append("fin")
                connection.sendall(b"bye")
            except OSError:
                self.ends.append("rst")


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[ChaosProxy]:
    with ChaosProxy("127.0.0.1", echo.port, seed=1) as chaos:
        yield chaos


@pytest.fixture
def client(proxy: ChaosProxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=DEADLINE_S) as connection:
        assert ask(connection, b"hello") == b"hello"
        yield connection


def ask(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    return read(connection, len(data))


def read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := connection.recv(size - len(data))):
        data += more
    return data


def is_silent(connection: socket.socket) -> bool:
    connection.settimeout(SILENCE_S)
    try:
        return connection.recv(1) is None
    except TimeoutError:
        return True
    finally:
        connection.settimeout(DEADLINE_S)


def test_proxy_forwards_every_byte_in_order(client: socket.socket) -> None:
    """Without a fault it is not there."""
    data = bytes(range(256)) * 8_000
    sender = threading.Thread(target=client.sendall, args=(data,))
    sender.start()
    assert read(client, len(data)) == data
    sender.join()


def test_proxy_passes_on_the_end_of_one_direction(client: socket.socket, echo: Echo) -> None:
    """Half-closing is not closing: the answer still comes."""
    client.shutdown(socket.SHUT_WR)
    assert read(client, 100) == b"bye"
    assert echo.ends == ["fin"]


def test_proxy_ends_the_connection_when_the_target_is_not_there() -> None:
    """As an unreachable server would."""
    with (
        ChaosProxy("127.0.0.1", free_port()) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=DEADLINE_S) as connection,
        suppress(ConnectionResetError),
    ):
        assert connection.recv(1) == b""


@pytest.mark.parametrize("reset", [True, False])
def test_cut_ends_both_ends_and_new_connections_work(
    client: socket.socket, proxy: ChaosProxy, echo: Echo, reset: bool
) -> None:
    """RST or FIN, as wanted; the port goes on listening."""
    proxy.do(Cut(reset=reset))
    if reset:
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    else:
        assert client.recv(1) == b""
    wait_until(lambda: echo.ends, deadline_s=DEADLINE_S, describe="an end at the target")
    assert echo.ends == ["rst" if reset else "fin"]
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=DEADLINE_S) as again:
        assert ask(again, b"back") == b"back"
    assert proxy.accepted == 2


def test_refuse_cuts_new_connections_until_it_heals(client: socket.socket, proxy: ChaosProxy) -> None:
    """An outage, not a hiccup."""
    proxy.do(Refuse())
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    # The reset may be there before the connection is said to stand.
    with (
        pytest.raises(ConnectionResetError),
        socket.create_connection(("127.0.0.1", proxy.port), timeout=DEADLINE_S) as refused,
    ):
        refused.recv(1)
    proxy.do(Heal())
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=DEADLINE_S) as again:
        assert ask(again, b"back") == b"back"


@pytest.mark.parametrize("directions", [{Direction.UP}, {Direction.DOWN}, set(Direction)])
def test_hang_holds_bytes_back_and_loses_none(
    client: socket.socket, proxy: ChaosProxy, directions: set[Direction]
) -> None:
    """The connection stays, as in a network that swallows packets."""
    proxy.do(Hang(frozenset(directions)))
    client.sendall(b"late")
    assert is_silent(client)
    proxy.do(Heal())
    assert read(client, 4) == b"late"


def test_cut_ends_a_connection_that_hangs(client: socket.socket, proxy: ChaosProxy) -> None:
    """Faults come in any order."""
    proxy.do(Hang())
    client.sendall(b"lost")
    proxy.do(Cut())
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_delay_holds_each_byte_as_long_as_asked(client: socket.socket, proxy: ChaosProxy) -> None:
    """Once in each direction."""
    proxy.do(Delay(100))
    started_s = time.monotonic()
    assert ask(client, b"slow") == b"slow"
    assert time.monotonic() - started_s >= 0.2
    proxy.do(Heal())
    assert ask(client, b"fast") == b"fast"


def test_rate_limits_bytes_and_is_lifted_in_the_middle(client: socket.socket, proxy: ChaosProxy) -> None:
    """At 1,000 bytes/s a megabyte would take a quarter of an hour."""
    proxy.do(Rate(1_000))
    started_s = time.monotonic()
    assert ask(client, b"x" * 500) == b"x" * 500
    assert time.monotonic() - started_s >= 0.4
    sender = threading.Thread(target=client.sendall, args=(b"y" * 1_000_000,))
    sender.start()
    assert read(client, 10) == b"y" * 10
    proxy.do(Heal())
    assert read(client, 999_990) == b"y" * 999_990
    sender.join()


def test_half_close_ends_one_direction_only(client: socket.socket, proxy: ChaosProxy, echo: Echo) -> None:
    """The target sees an end that nobody wanted, and its answer still arrives."""
    proxy.do(HalfClose(Direction.UP))
    assert read(client, 3) == b"bye"
    assert echo.ends == ["fin"]


def test_half_close_downward_ends_what_the_client_reads(client: socket.socket, proxy: ChaosProxy) -> None:
    """The other way round."""
    proxy.do(HalfClose(Direction.DOWN))
    assert client.recv(1) == b""


def test_flip_changes_one_bit_of_the_next_bytes(client: socket.socket, proxy: ChaosProxy) -> None:
    """And nothing after them."""
    proxy.do(Flip(Direction.UP))
    sent = bytes(100)
    got = ask(client, sent)
    assert sorted(got)[:99] == [0] * 99
    assert got.count(0) == 99
    assert sum(got).bit_count() == 1
    assert ask(client, sent) == sent


def test_insert_adds_bytes_that_nobody_sent(client: socket.socket, proxy: ChaosProxy) -> None:
    """Behind what came before, in front of what comes after."""
    proxy.do(Insert(Direction.DOWN, size_bytes=16))
    client.sendall(b"after")
    assert read(client, 21)[16:] == b"after"


def test_chance_is_the_seed_alone(echo: Echo) -> None:
    """A fault that was found once is found again."""

    def garbage(seed: int) -> bytes:
        with (
            ChaosProxy("127.0.0.1", echo.port, seed=seed) as proxy,
            socket.create_connection(("127.0.0.1", proxy.port), timeout=DEADLINE_S) as connection,
        ):
            assert ask(connection, b"hello") == b"hello"
            proxy.do(Insert(Direction.DOWN, size_bytes=32))
            return read(connection, 32)

    assert garbage(3) == garbage(3) != garbage(4)


def test_plan_is_followed_in_the_order_of_its_times(client: socket.socket, proxy: ChaosProxy) -> None:
    """A list of timed faults is a scenario."""
    done = proxy.follow([TimedFault(0.2, Heal()), TimedFault(0.0, Hang()), TimedFault(0.25, Cut())])
    client.sendall(b"late")
    assert read(client, 4) == b"late"
    done.result(DEADLINE_S)
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_end_of_the_proxy_ends_its_connections_and_its_plan(echo: Echo) -> None:
    """Nothing of it outlives its block."""
    with ChaosProxy("127.0.0.1", echo.port) as proxy:
        connection = socket.create_connection(("127.0.0.1", proxy.port), timeout=DEADLINE_S)
        assert ask(connection, b"hello") == b"hello"
        done = proxy.follow([TimedFault(1_000.0, Cut())])
    done.result(DEADLINE_S)
    with closing(connection), pytest.raises(ConnectionResetError):
        connection.recv(1)
    assert not any("chaos proxy" in thread.name for thread in threading.enumerate())
