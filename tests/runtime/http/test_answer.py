"""Answers off a socket, cut in every way a network may cut them."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from geventhttpclient._parser import HTTPParseError
from geventhttpclient.response import HTTPConnectionClosed
from hypothesis import given
from hypothesis import strategies as st

from locust_runtime.http.answer import MAX_HEAD_BYTES, Answer
from locust_runtime.http.heads import parse_fields


class Pieces:
    """A socket that delivers what it was given, a piece per call, and then the end of the connection."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = iter(pieces)

    def recv(self, size: int) -> bytes:
        return next(self._pieces, b"")


class Pool:
    """Counts what comes back to it."""

    def __init__(self) -> None:
        self.kept = 0
        self.closed = 0

    def return_socket(self, sock: Any) -> None:
        self.kept += 1

    def release_socket(self, sock: Any) -> None:
        self.closed += 1


def receive(pieces: list[bytes], *, has_no_body: bool = False) -> tuple[Answer, Pool]:
    pool: Any = Pool()
    answer = Answer(Pieces(pieces), pool, has_no_body=has_no_body)
    answer.receive_head()
    return answer, pool


MESSAGES: dict[str, tuple[bytes, int, bytes, bool]] = {
    "length": (b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello", True),
    "empty": (b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 0\r\n\r\n", 200, b"", True),
    "chunks": (
        b"HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nhel\r\n2;ext=1\r\nlo\r\n0\r\nTrailer: x\r\n\r\n",
        200,
        b"hello",
        True,
    ),
    "until close": (b"HTTP/1.1 200 OK\r\nX-A: b\r\n\r\nhello", 200, b"hello", False),
    "http 1.0": (b"HTTP/1.0 200 OK\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello", False),
    "close": (
        b"HTTP/1.1 500 Oh\r\nX-A: b\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
        500,
        b"hello",
        False,
    ),
    "no content": (b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n", 204, b"", True),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nX-A: b\r\nContent-Length: 5\r\n\r\n", 304, b"", True),
    "interim": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-A: no\r\n\r\n"
        b"HTTP/1.1 201 Created\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello",
        201,
        b"hello",
        True,
    ),
    "empty lines first": (
        b"\r\n\r\nHTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello",
        200,
        b"hello",
        True,
    ),
}


def pieces_of(message: bytes, cuts: list[int]) -> Iterator[bytes]:
    borders = sorted({cut % (len(message) + 1) for cut in cuts} | {0, len(message)})
    for begin, end in itertools.pairwise(borders):
        yield message[begin:end]


@given(kind=st.sampled_from(sorted(MESSAGES)), cuts=st.lists(st.integers(0, 400), max_size=40))
def test_answer_is_the_same_however_it_is_cut(kind: str, cuts: list[int]) -> None:
    """Status, fields, body and the fate of the connection do not depend on packets."""
    message, status, body, is_kept = MESSAGES[kind]
    answer, pool = receive(list(pieces_of(message, cuts)))
    headers = parse_fields(answer.head)
    assert (answer.status, headers["x-a"], answer.read()) == (status, "b", body)
    assert (pool.kept, pool.closed) == ((1, 0) if is_kept else (0, 1))
    assert answer.read() == b""


@given(cuts=st.lists(st.integers(0, 400), max_size=40), sizes=st.lists(st.integers(1, 9), max_size=20))
def test_body_is_the_same_in_whatever_portions_it_is_read(cuts: list[int], sizes: list[int]) -> None:
    """Portions join to the whole, and none is longer than asked for."""
    message, _, body, _ = MESSAGES["chunks"]
    answer, _ = receive(list(pieces_of(message, cuts)))
    portions = [answer.read(size) for size in sizes]
    assert all(len(portion) <= size for portion, size in zip(portions, sizes, strict=True))
    assert b"".join(portions) + answer.read() == body


@given(cuts=st.lists(st.integers(0, 400), max_size=20))
def test_lines_are_the_same_however_they_arrive(cuts: list[int]) -> None:
    """A separator may be cut in two."""
    message = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\none\r\n\r\ntwo\r\nx"
    answer, _ = receive(list(pieces_of(message, cuts)))
    assert [answer.readline() for _ in range(5)] == [b"one\r\n", b"\r\n", b"two\r\n", b"x", b""]


@pytest.mark.parametrize(
    "surplus",
    [
        b"garbage",
        b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwo",
    ],
)
@pytest.mark.parametrize("has_no_body", [False, True])
def test_bytes_after_the_message_close_the_connection(surplus: bytes, has_no_body: bool) -> None:
    """They belong to no request of ours; the answer itself stands."""
    message = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + surplus
    answer, pool = receive([message], has_no_body=has_no_body)
    assert (answer.status, answer.read()) == (200, b"")
    assert (pool.kept, pool.closed) == (0, 1)


def test_head_request_has_no_body_whatever_its_length_says() -> None:
    """The length is that of a GET."""
    answer, pool = receive([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"], has_no_body=True)
    assert (answer.read(), pool.kept) == (b"", 1)


@pytest.mark.parametrize(
    ("pieces", "error"),
    [
        ([], HTTPConnectionClosed),
        ([b"HTTP/1.1 200"], HTTPParseError),
        ([b"HTTP/1.1 200 OK\r\nA: b\r\n"], HTTPParseError),
        ([b"HTTP/1.1 100 Continue\r\n\r\n"], HTTPParseError),
        ([b"no http at all\r\n\r\n"], HTTPParseError),
        ([b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"], HTTPParseError),
        (
            [b"HTTP/1.1 200 OK\r\n", *[b"A: " + b"x" * 60_000 + b"\r\n"] * (MAX_HEAD_BYTES // 60_000 + 1)],
            HTTPParseError,
        ),
    ],
)
def test_head_that_is_none_is_an_error(pieces: list[bytes], error: type[Exception]) -> None:
    """Cut short, no HTTP, or without an end."""
    with pytest.raises(error):
        receive(pieces)


def test_body_cut_short_is_an_error_and_leaves_what_came() -> None:
    """The connection is closed, and the part that came can be looked at."""
    answer, pool = receive([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel"])
    with pytest.raises(HTTPParseError):
        answer.read()
    assert (answer.read_buffered(), pool.closed) == (b"hel", 1)


def test_answer_that_is_dropped_unread_closes_its_connection() -> None:
    """A pool must not lose a place to a stream that nobody reads."""
    answer, pool = receive([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel"])
    del answer
    gc.collect()
    assert (pool.kept, pool.closed) == (0, 1)
