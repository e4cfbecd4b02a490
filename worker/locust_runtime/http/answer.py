"""One answer of the target as it comes off the socket: head, then body, then the socket goes back.

geventhttpclient's C parser, fed straight from the socket. Its per-header callbacks are not used: the head
is kept as bytes, and decoded only if somebody asks (`heads.parse_fields`).

An Answer owns its socket until the message is complete; then the socket returns to its pool, or is closed
when the target said so, sent more than one message, or the parser gave up.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from geventhttpclient._parser import HTTPParseError, HTTPResponseParser
from geventhttpclient.connectionpool import ConnectionPool
from geventhttpclient.response import HTTPConnectionClosed

HEAD_READ_BYTES: Final = 16 * 1024
"""What the first read asks for: nearly all heads with a small body fit, and the buffer is cheap to make."""
BODY_READ_BYTES: Final = 64 * 1024
"""What later reads ask for: fewer turns through the loop for large bodies."""
MAX_HEAD_BYTES: Final = 1024 * 1024
"""A longer head is an error of the target: without a bound one bad answer could take all memory."""

_END_OF_HEAD: Final = b"\r\n\r\n"


class Answer(HTTPResponseParser):
    """An HTTP response that is being received.

    `status` is 0 until the final head is in; interim (1xx) heads are skipped. `head` is the final head
    without its last empty line.
    """

    __slots__ = (
        "_has_no_body",
        "_parts",
        "_pool",
        "_socket",
        "_surplus",
        "began",
        "complete",
        "head",
        "status",
    )

    # The parser calls these for each header; a C function that returns false is the cheapest "go on".
    _on_status = _on_header_field = _on_header_value = frozenset[str]().__contains__

    def __init__(self, sock: Any, pool: ConnectionPool, *, has_no_body: bool) -> None:
        HTTPResponseParser.__init__(self)
        self._socket: Any = sock
        self._pool = pool
        self._has_no_body = has_no_body
        self._parts: list[bytes | bytearray] = []
        self._surplus = False
        self.began = False
        self.complete = False
        self.head = b""
        self.status = 0

    def _on_message_begin(self) -> None:
        self._surplus = self.complete

    def _on_headers_complete(self) -> bool:
        if not self.status:
            status = self.get_code()
            if status >= 200:
                self.status = status
        return self._has_no_body

    def _on_body(self, data: bytearray) -> None:
        if not self.complete:
            self._parts.append(data)

    def _on_message_complete(self) -> None:
        if self.status:
            self.complete = True

    def receive_head(self) -> None:
        """Reads until the final head is in.

        Raises HTTPConnectionClosed when the target closed without a byte, HTTPParseError for what is no
        HTTP, OSError from the socket. The caller then calls `discard`.
        """
        try:
            received = self._socket.recv(HEAD_READ_BYTES)
        except ConnectionResetError:
            raise HTTPConnectionClosed("connection closed.") from None
        if not received:
            raise HTTPConnectionClosed("connection closed.")
        self.began = True
        self._feed(received)
        while not self.status:
            more = self._socket.recv(HEAD_READ_BYTES)
            if not more:
                raise HTTPParseError("connection closed before end of the headers")
            received += more
            if len(received) > MAX_HEAD_BYTES:
                raise HTTPParseError(f"head is longer than {MAX_HEAD_BYTES} bytes")
            self._feed(more)
        self.head = _final_head(received)
        if self.complete:
            self._give_back()

    def read(self, length: int | None = None) -> bytes:
        """Up to `length` bytes of the body as sent (not decompressed), or all that is left; b"" at the end.

        Raises HTTPParseError when the connection ends before the body does, OSError from the socket.
        """
        buffered = sum(map(len, self._parts))
        try:
            while not self.complete and (length is None or buffered < length):
                # an empty read tells the parser that the connection ended, which may end the body as well
                self._feed(self._socket.recv(BODY_READ_BYTES))
                buffered = sum(map(len, self._parts)) if length is not None else 0
        except BaseException:
            self.discard()
            raise
        if self.complete:
            self._give_back()
        body = bytes(self._parts[0]) if len(self._parts) == 1 else b"".join(self._parts)
        self._parts = []
        if length is not None and len(body) > length:
            self._parts.append(body[length:])
            return body[:length]
        return body

    def read_buffered(self) -> bytes:
        """What was received and not read yet; for bodies that broke off."""
        body = b"".join(self._parts)
        self._parts = []
        return body

    def readline(self, sep: bytes = b"\r\n") -> bytes:
        """The body up to and including the next `sep`; what is left when there is none; b"" at the end."""
        line = b""
        while True:
            line += self.read(BODY_READ_BYTES) if not self._parts else self.read_buffered()
            end = line.find(sep)
            if end >= 0:
                end += len(sep)
                if end < len(line):
                    self._parts.insert(0, line[end:])
                return line[:end]
            if self.complete and not self._parts:
                return line

    def __iter__(self) -> Iterator[bytes]:
        while block := self.read(BODY_READ_BYTES):
            yield block

    def release(self) -> None:
        """Lets the socket go: back to its pool after a complete message, closed before that."""
        if self.complete:
            self._give_back()
        else:
            self.discard()

    def discard(self) -> None:
        """Closes the socket."""
        sock, self._socket = self._socket, None
        if sock is not None:
            self._pool.release_socket(sock)

    def _give_back(self) -> None:
        sock = self._socket
        if sock is None:
            return
        if self._surplus or self.parser_failed() or not self.should_keep_alive():
            self.discard()
            return
        self._socket = None
        self._pool.return_socket(sock)

    def _feed(self, data: bytes) -> None:
        try:
            self.feed(data)
        except HTTPParseError:
            # bytes after a complete message (a body after HEAD, say) spoil the connection, not the answer
            if not self.complete:
                raise
            self._surplus = True

    def __del__(self) -> None:
        # a streamed answer that nobody read to its end; at interpreter exit attributes may be gone
        with suppress(AttributeError):
            self.discard()


def _final_head(received: bytes) -> bytes:
    if not received.startswith(b"HTTP/"):
        received = received.lstrip(b"\r\n")
    while received[9:10] == b"1":
        received = received[received.index(_END_OF_HEAD) + len(_END_OF_HEAD) :].lstrip(b"\r\n")
    return received[: received.index(_END_OF_HEAD)]
