"""A real HTTP server on a free loopback port, for tests of the HTTP clients.

It answers from a table of routes in threads of its own, counts what it serves, and has the odd answers that a
client meets in the field: a reset, a body cut short, a port that listens and never answers.
"""

import gzip
import json
import socket
import ssl
import struct
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import brotli  # type: ignore[import-untyped]

CERTIFICATE = Path(__file__).with_name("loopback.pem")
"""A self-signed certificate for 127.0.0.1 and its key, made for these tests only."""

LINES = b"first\nsecond\n\nlast without end"
ZIPPED_TEXT = "zipped text " * 40


class Target:
    """A running server: its address, what it was asked for, and the switch that lets slow answers go."""

    def __init__(self, *, tls: bool = False) -> None:
        self.served: Counter[str] = Counter()
        self.requests: list[str] = []
        self.release_slow = threading.Event()
        target = self

        class Handler(_Handler):
            owner = target

        self._server = _QuietServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
            # in the connection's own thread, where a client that refuses the certificate disturbs nobody
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.connections = 0
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.release_slow.set()
        self._server.shutdown()
        self._thread.join()
        self._server.close_connections()
        self._server.server_close()


@contextmanager
def serving(*, tls: bool = False) -> Iterator[Target]:
    """A target that lives as long as the block; with `tls` its certificate is `CERTIFICATE`."""
    target = Target(tls=tls)
    target.start()
    try:
        yield target
    finally:
        target.stop()


@contextmanager
def answering_raw(*answers: bytes) -> Iterator[str]:
    """A server that sends each of `answers`, as it is, to one request after another, and then closes.

    Yields its base URL. All answers go over one connection, for as long as the client keeps it.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(30)

    def serve() -> None:
        remaining = list(answers)
        # closed after the last answer: who comes then is refused instead of left to wait
        with listener:
            while remaining:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(30)
                    while remaining and _read_head(connection):
                        connection.sendall(remaining.pop(0))

    thread = threading.Thread(target=serve)
    port = listener.getsockname()[1]
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        with suppress(OSError):
            # wakes an accept() that close() alone would leave waiting
            listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def refused_url() -> str:
    """A URL of a port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def _read_head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        try:
            received = connection.recv(65536)
        except OSError:
            return b""
        if not received:
            return b""
        head += received
    return head


class _QuietServer(ThreadingHTTPServer):
    """A threading server that can close the connections it holds, so that its threads end."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle of an answer is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: Target
    # headers and body leave in one segment, or the answer waits 40 ms for a delayed acknowledgement
    wbufsize = -1
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.owner.connections += 1

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.owner.served[self.path] += 1
        self.owner.requests.append(f"{self.command} {self.path}")
        self.query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        if self.headers.get("Transfer-Encoding") == "chunked":
            self.body = self._read_chunks()
        first = parts.path.split("/")[1]
        ROUTES.get(first, _not_found)(self, parts.path)
        self.wfile.flush()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_GET

    def _read_chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, body: bytes = b"", *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        fields = {"Content-Type": "text/plain; charset=utf-8"} | (headers or {})
        for field, value in fields.items():
            self.send_header(field, value)
        if "Transfer-Encoding" not in fields and status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _not_found(handler: _Handler, path: str) -> None:
    handler.answer(b"nothing here", status=404)


def _ok(handler: _Handler, path: str) -> None:
    handler.answer(b"hello")


def _status(handler: _Handler, path: str) -> None:
    status = int(path.split("/")[2])
    handler.answer(b"" if status in (204, 304) else b"status body", status=status)


def _redirect(handler: _Handler, path: str) -> None:
    """`/redirect/N` passes through N redirects; `/redirect?to=URL&code=307` sends one there."""
    if "to" in handler.query:
        handler.answer(
            status=int(handler.query.get("code", "302")), headers={"Location": handler.query["to"]}
        )
        return
    left = int(path.split("/")[2])
    where = "/ok" if left <= 1 else f"/redirect/{left - 1}"
    handler.answer(b"moved", status=302, headers={"Location": where})


def _cookie(handler: _Handler, path: str) -> None:
    handler.answer(
        b"set", headers={"Set-Cookie": f"{handler.query['name']}={handler.query['value']}; Path=/"}
    )


def _echo(handler: _Handler, path: str) -> None:
    """What the server saw of the request, as JSON."""
    seen = {
        "method": handler.command,
        "path": handler.path,
        "headers": {field.lower(): value for field, value in handler.headers.items()},
        "body": handler.body.decode("latin-1"),
    }
    handler.answer(json.dumps(seen).encode(), headers={"Content-Type": "application/json"})


def _encoded(handler: _Handler, path: str) -> None:
    """`/encoded/gzip`, `/encoded/deflate`, `/encoded/raw-deflate`, `/encoded/br`."""
    encoding = path.split("/")[2]
    plain = ZIPPED_TEXT.encode()
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bodies: dict[str, Callable[[], bytes]] = {
        "gzip": lambda: gzip.compress(plain),
        "deflate": lambda: zlib.compress(plain),
        "raw-deflate": lambda: compressor.compress(plain) + compressor.flush(),
        "br": lambda: brotli.compress(plain),
        "broken-gzip": lambda: b"this is no gzip",
    }
    handler.answer(bodies[encoding](), headers={"Content-Encoding": encoding.split("-")[-1]})


def _chunked(handler: _Handler, path: str) -> None:
    body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (b"one ", b"two ", b"three"))
    handler.answer(body + b"0\r\n\r\n", headers={"Transfer-Encoding": "chunked"})


def _lines(handler: _Handler, path: str) -> None:
    handler.answer(LINES)


def _json(handler: _Handler, path: str) -> None:
    handler.answer(b'{"answer": 42}', headers={"Content-Type": "application/json"})


def _slow(handler: _Handler, path: str) -> None:
    handler.owner.release_slow.wait(60)
    handler.answer(b"at last")


def _release(handler: _Handler, path: str) -> None:
    """Lets the answers of `/slow` go."""
    handler.owner.release_slow.set()
    handler.answer(b"released")


def _asked(handler: _Handler, path: str) -> None:
    """`/asked?for=/slow/x`: whether that path was asked for, as JSON."""
    handler.answer(json.dumps(f"GET {handler.query['for']}" in handler.owner.requests).encode())


def _slow_body(handler: _Handler, path: str) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "10")
    handler.end_headers()
    handler.wfile.write(b"half ")
    handler.wfile.flush()
    handler.owner.release_slow.wait(60)
    handler.wfile.write(b"later")


def _half(handler: _Handler, path: str) -> None:
    """Announces more than it sends, then closes."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"only this")
    handler.close_connection = True


def _close(handler: _Handler, path: str) -> None:
    handler.answer(b"bye", headers={"Connection": "close"})
    handler.close_connection = True


def _silent_close(handler: _Handler, path: str) -> None:
    """Closes without a byte of answer."""
    handler.close_connection = True


def _reset(handler: _Handler, path: str) -> None:
    """Ends the connection with RST instead of FIN."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True


ROUTES: dict[str, Callable[[_Handler, str], None]] = {
    "ok": _ok,
    "status": _status,
    "redirect": _redirect,
    "cookie": _cookie,
    "echo": _echo,
    "encoded": _encoded,
    "chunked": _chunked,
    "lines": _lines,
    "json": _json,
    "slow": _slow,
    "release": _release,
    "asked": _asked,
    "slow-body": _slow_body,
    "half": _half,
    "close": _close,
    "silent-close": _silent_close,
    "reset": _reset,
}
