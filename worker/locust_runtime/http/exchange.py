"""One request on the wire: takes a connection, sends, and waits for the head of the answer.

Sends a request once. The one exception: an idle connection that the target closed at the same moment, before
a byte of an answer, is replaced and the request sent again if its method allows that. So what the target
counts is what is reported.
"""

from __future__ import annotations

import select
from typing import Any, Final

from gevent import monkey
from geventhttpclient.client import IDEMPOTENT_METHODS
from geventhttpclient.connectionpool import ConnectionPool
from geventhttpclient.response import HTTPConnectionClosed

from locust_runtime.http.answer import Answer
from locust_runtime.http.bodies import END_OF_CHUNKS, Body, as_chunk, stream_blocks
from locust_runtime.http.fast_response import FastRequest

# The system's own, patched or not: asking whether a byte is there must not give up the turn.
_POLL: Final = monkey.get_original("select", "poll")()


def exchange(pool: ConnectionPool, request: FastRequest, body: Body, *, chunked: bool) -> Answer:
    """Sends `request.head` and `body`, and returns the answer, whose head is in.

    Sets `request.sent` as soon as the target may see something of the request.

    Raises OSError (refused, reset, name unknown, timed out), HTTPConnectionClosed for an answer without a
    byte, HTTPParseError for one that is no HTTP. Whatever is raised, the connection is let go.
    """
    while True:
        sock, reused = _take(pool)
        answer = Answer(sock, pool, has_no_body=request.method == "HEAD")
        broken: OSError | None = None
        try:
            request.sent = True
            try:
                if body.is_stream:
                    _send_stream(sock, request.head, body, chunked=chunked)
                else:
                    _send(sock, _whole_message(request.head, body, chunked=chunked))
            except (BrokenPipeError, ConnectionResetError) as error:
                # the target may have refused a large body, and answered before it closed
                broken = error
            answer.receive_head()
            return answer
        except (HTTPConnectionClosed, ConnectionResetError) as error:
            answer.discard()
            if not (reused and not answer.began and _may_be_repeated(request.method, body)):
                raise broken or error from None
        except BaseException:
            answer.discard()
            raise


def _take(pool: ConnectionPool) -> tuple[Any, bool]:
    """A connection, and whether it was used before; waits while all of the pool's are in use."""
    pool._semaphore.acquire()
    try:
        idle = pool._socket_queue
        while idle.qsize():
            sock = idle.get(block=False)
            if _is_quiet(sock):
                return sock, True
            sock.close()
        return pool._create_socket(), False
    except BaseException:
        pool._semaphore.release()
        raise


def _is_quiet(sock: Any) -> bool:
    """Whether an idle connection still stands: one with something to read was closed, or is out of step."""
    descriptor = sock.fileno()
    if descriptor < 0:
        return False
    _POLL.register(descriptor, select.POLLIN)
    try:
        return not _POLL.poll(0)
    finally:
        _POLL.unregister(descriptor)


def _may_be_repeated(method: str, body: Body) -> bool:
    return method in IDEMPOTENT_METHODS and not body.is_stream


def _whole_message(head: bytes, body: Body, *, chunked: bool) -> bytes:
    if chunked:
        return head + (as_chunk(body.content) if body.content else b"") + END_OF_CHUNKS
    return head + body.content if body.content else head


def _send(sock: Any, message: bytes) -> None:
    # nearly always one call into the kernel; sendall would loop over memoryviews in Python
    sent = sock.send(message)
    if sent < len(message):
        sock.sendall(memoryview(message)[sent:])


def _send_stream(sock: Any, head: bytes, body: Body, *, chunked: bool) -> None:
    sock.sendall(head)
    for block in stream_blocks(body.content):
        sock.sendall(as_chunk(block) if chunked else block)
    if chunked:
        sock.sendall(END_OF_CHUNKS)
