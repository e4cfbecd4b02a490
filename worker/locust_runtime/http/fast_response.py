"""What FastHttpUser's client gives back: the request as sent, and the response, decoded only where asked.

A response without an answer (refused, reset, timed out, no HTTP) has `status_code` 0, and None for headers,
content and text; `error` says why.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, NoReturn, Self, cast

from charset_normalizer import detect
from geventhttpclient.header import Headers
from requests.utils import get_encoding_from_headers

from locust_runtime.exceptions import LocustError
from locust_runtime.http import heads
from locust_runtime.http.answer import Answer
from locust_runtime.http.catching import CatchingResponse, Verdict
from locust_runtime.http.decoding import decode_content, stream_decoder

_UNREAD: Final = object()


class FastRequest:
    """A request as it was sent last: after redirects, the one that led to the response."""

    __slots__ = ("_headers", "head", "method", "payload", "sent", "url")

    def __init__(self, method: str, url: str, payload: Any = None) -> None:
        self.method = method
        self.url = url
        self.payload = payload
        self.head = b""
        self.sent = False
        self._headers: Headers | None = None

    @property
    def body(self) -> Any:
        """What was sent after the head: bytes, a stream, or None."""
        return self.payload

    @property
    def headers(self) -> Headers:
        """The fields that were sent, defaults and cookies included."""
        if self._headers is None:
            self._headers = heads.parse_fields(self.head)
        return self._headers


class FastResponse:
    """A response; with `stream=True` its body is read when asked for."""

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_answer",
        "_content",
        "_elapsed_s",
        "_headers",
        "encoding",
        "error",
        "history",
        "js",
        "request",
        "status_code",
    )

    status_code: int
    """0 when there is no answer."""
    error: BaseException | None
    """Why the request counts as failed when nobody says otherwise; None for a good answer."""
    encoding: str | None
    """The text's encoding, if it is to be another than the one the answer names; set it before `text`."""
    js: Any
    """The parsed answer, in `rest()`."""

    def __init__(
        self,
        request: FastRequest,
        answer: Answer | None,
        *,
        error: BaseException | None = None,
        elapsed_s: float = 0.0,
    ) -> None:
        self.request = request
        self.error = error
        self.history: list[FastResponse] = []
        self.encoding = None
        self.js = None
        self._answer = answer
        self._elapsed_s = elapsed_s
        self._headers: Headers | None = None
        self._content: Any = _UNREAD
        self.status_code = 0 if answer is None else answer.status

    @property
    def headers(self) -> Headers:
        """The fields of the answer, whatever the case of a name; None when there is no answer."""
        if self._headers is None and self._answer is not None:
            self._headers = heads.parse_fields(self._answer.head)
        return cast(Headers, self._headers)

    @property
    def content(self) -> bytes | None:
        """The decompressed body, read on first use; None when there is no answer.

        Raises HTTPParseError for a body cut short, OSError from the socket, zlib.error or brotli.error for
        one that cannot be decompressed; asked again, it gives what was received.
        """
        if self._content is _UNREAD:
            self._content = None
            if self._answer is not None:
                self._read_content(self._answer)
        return cast("bytes | None", self._content)

    def _read_content(self, answer: Answer) -> None:
        try:
            body = answer.read()
        except BaseException:
            self._content = answer.read_buffered()
            raise
        self._content = body
        if body and heads.has_field(answer.head, b"content-encoding"):
            self._content = decode_content(body, _joined(self.headers, "content-encoding"))

    @property
    def text(self) -> str | None:
        """The body as text, in `encoding`, or the encoding that the answer names or that fits it."""
        content = self.content
        if content is None:
            return None
        if not content:
            return ""
        if self.encoding is None:
            self.encoding = _encoding_of(content, self.headers)
        return None if self.encoding is None else str(content, self.encoding, errors="replace")

    def json(self) -> Any:
        """The body parsed as JSON; raises json.JSONDecodeError for what is none."""
        if self.encoding is None and self._answer is not None and b"charset" not in self._answer.head.lower():
            return json.loads(self.content or b"")
        return json.loads(self.text or "")

    @property
    def url(self) -> str | None:
        """Where the response came from, after redirects."""
        return self.request.url

    @property
    def ok(self) -> bool:
        """Whether there was an answer with a status below 400."""
        return 0 < self.status_code < 400

    @property
    def elapsed(self) -> timedelta:
        """From before connecting to the head of this answer; without the redirects before it."""
        return timedelta(seconds=self._elapsed_s)

    @property
    def stream(self) -> Answer | None:
        """The body as it comes: `read(n)`, `readline()`, iteration; not decompressed."""
        return self._answer

    def read(self, n: int | None = None) -> bytes:
        """Up to `n` bytes of the body as it comes, not decompressed; b"" at its end."""
        return self._required_answer().read(n)

    def iter_content(self, chunk_size: int = 1024, decode_content: bool = True) -> Iterator[str | bytes]:
        """The decompressed body in blocks, as text when it is UTF-8 and `decode_content` is not False.

        A block may be longer or shorter than `chunk_size`, which counts bytes on the wire.
        """
        answer = self._required_answer()
        decompress = stream_decoder(_joined(self.headers, "content-encoding"))
        decoder = codecs.getincrementaldecoder("utf-8")()
        while received := answer.read(chunk_size):
            block: str | bytes = decompress(received)
            if decode_content:
                try:
                    block = decoder.decode(cast(bytes, block))
                except UnicodeDecodeError:
                    # not text: this block and the rest stay bytes
                    decode_content = False
            if block:
                yield block

    def raise_for_status(self) -> None:
        """Raises `error`, if there is one: LocustBadStatusCode, or why there is no answer."""
        if self.error is not None:
            raise self.error

    def release(self) -> None:
        """Lets the connection go without reading what is left of the body."""
        if self._answer is not None:
            self._answer.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        self.release()
        return None

    def success(self) -> None:
        """Only with `catch_response=True`; raises LocustError."""
        _refuse_verdict("success")

    def failure(self, exc: object) -> None:
        """Only with `catch_response=True`; raises LocustError."""
        _refuse_verdict("failure")

    def _required_answer(self) -> Answer:
        if self._answer is None:
            raise LocustError(f"There is no body to read: the request failed with {self.error!r}.")
        return self._answer


class ErrorResponse(FastResponse):
    """Stands for the answer when there was none."""

    def __init__(self, request: FastRequest, error: BaseException) -> None:
        super().__init__(request, None, error=error)


class ResponseContextManager(CatchingResponse, FastResponse):
    """A response in a `with` block, which may call `success()` or `failure()`."""

    _manual_result: Verdict = None
    _entered: bool = False
    _catch_response: bool = True
    _user: Any = None

    def raise_for_status(self) -> None:
        """Raises the exception given to `failure()`, or, without a verdict, what the answer stands for."""
        if isinstance(self._manual_result, Exception):
            raise self._manual_result
        if not self._manual_result:
            super().raise_for_status()

    def _status_error(self) -> BaseException | None:
        return self.error


class RestResponseContextManager(ResponseContextManager):
    """What `FastHttpUser.rest` yields; named for annotations."""


def _refuse_verdict(verdict: str) -> NoReturn:
    raise LocustError(f"response.{verdict}() needs catch_response=True in the request, and a with-block.")


def _joined(headers: Headers, name: str) -> str:
    return ",".join(headers.getlist(name))


def _encoding_of(content: bytes, headers: Headers) -> str | None:
    content_types = headers.getlist("content-type") if headers is not None else []
    if content_types:
        named = get_encoding_from_headers(cast(Any, {"content-type": content_types[0]}))
        if named is not None and _is_known(named):
            return named
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        # looks at the whole body, and takes a thousand times longer
        return detect(content)["encoding"]
    return "utf-8"


def _is_known(encoding: str) -> bool:
    try:
        codecs.lookup(encoding)
    except LookupError:
        return False
    return True
