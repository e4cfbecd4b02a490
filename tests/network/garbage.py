"""Peers that talk nonsense, or nothing, to a master's port. Each is one connection of its own kind.

What they send is made from a seed. Must never leave a socket open once a block has ended.
"""

from __future__ import annotations

import random
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

CONNECT_TIMEOUT_S = 20.0
RANDOM_BYTES = 64 << 10
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(range(193))
HUGE_FRAME = bytes.fromhex("ffffff000900000001") + b"\x00" * 64
"""Header of a frame of 16 MiB, of which hardly anything follows."""


def opening_lines(chance: random.Random) -> list[bytes]:
    """What strangers say first: noise, other protocols, and HTTP/2 that breaks off into noise."""
    return [
        chance.randbytes(RANDOM_BYTES),
        b"\x05",
        b"GET / HTTP/1.1\r\nHost: master\r\n\r\n",
        TLS_HELLO,
        HTTP2_PREFACE + chance.randbytes(1024),
        HTTP2_PREFACE + bytes.fromhex("000000040000000000") + chance.randbytes(4096),
        HTTP2_PREFACE + HUGE_FRAME,
    ]


def say(port: int, words: bytes, *, in_tls: bool = False) -> None:
    """Connects, says it, and goes; being cut off meanwhile is what a stranger must expect."""
    with socket.create_connection(("127.0.0.1", port), timeout=CONNECT_TIMEOUT_S) as connection:
        try:
            if in_tls:
                with _trusting_anybody().wrap_socket(connection) as encrypted:
                    encrypted.sendall(words)
                    encrypted.recv(1)
            else:
                connection.sendall(words)
                connection.recv(1)
        except (ConnectionError, TimeoutError, ssl.SSLError):
            return


def _trusting_anybody() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context


@contextmanager
def silent_connections(port: int, count: int) -> Iterator[list[socket.socket]]:
    """Connections on which nothing is ever said."""
    connections: list[socket.socket] = []
    try:
        for _ in range(count):
            connections.append(socket.create_connection(("127.0.0.1", port), timeout=CONNECT_TIMEOUT_S))
        yield connections
    finally:
        for connection in connections:
            connection.close()


def closed_by_peer(connections: list[socket.socket]) -> int:
    """How many of them the other side has closed."""
    return sum(_is_closed(connection) for connection in connections)


def _is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        while chunk := connection.recv(4096):
            assert chunk
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return True
