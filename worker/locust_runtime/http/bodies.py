"""The body of a FastHttpUser's request: from what a locustfile gives to what is sent.

A body is bytes, or a stream (a file, or an iterable of blocks) that is sent piece by piece.
"""

from __future__ import annotations

import json as json_module
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from geventhttpclient.useragent import _encode_multipart_formdata

BLOCK_BYTES: Final = 64 * 1024
"""How much of a streamed body is held in memory and sent at once."""

FORM: Final = "application/x-www-form-urlencoded; charset=utf-8"
_JSON_FIELDS: Final = (("Content-Type", "application/json"), ("Accept", "application/json"))


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent after the head, and the fields that go with it unless the request gives them itself.

    `content` is None for no body; `length` is None when a stream does not tell, which means chunks.
    """

    content: Any = None
    length: int | None = 0
    fields: tuple[tuple[str, str], ...] = ()
    replaces_defaults: bool = False
    """Whether `fields` count more than the default fields of the user (never more than the request's own)."""

    @property
    def is_stream(self) -> bool:
        return self.content is not None and not isinstance(self.content, bytes)


NO_BODY: Final = Body()


def encode_body(data: Any, json: Any, files: Any) -> Body:
    """The body for the arguments of a request; `json` counts only without `data`, as in Locust.

    Raises ValueError for `files` beside `data` that is no form, TypeError for data of no known kind.
    """
    if files:
        content, content_type = _encode_multipart_formdata(files, data)
        return Body(content, len(content), (("Content-Type", content_type),), replaces_defaults=True)
    if not data:
        if json is None:
            return NO_BODY
        content = json_module.dumps(json).encode()
        return Body(content, len(content), _JSON_FIELDS, replaces_defaults=True)
    if isinstance(data, str):
        content = data.encode()
        return Body(content, len(content), (("Content-Type", "text/plain; charset=utf-8"),))
    if _is_form(data):
        content = urlencode(data, doseq=True).encode()
        return Body(content, len(content), (("Content-Type", FORM),))
    binary = (("Content-Type", "application/octet-stream"),)
    if isinstance(data, bytes | bytearray | memoryview):
        content = bytes(data)
        return Body(content, len(content), binary)
    if hasattr(data, "read") or hasattr(data, "__iter__"):
        return Body(data, _stream_length(data), binary)
    raise TypeError(
        f"data must be text, bytes, a form, a file or an iterable of bytes, not {type(data).__name__}"
    )


def stream_blocks(stream: Any) -> Iterator[bytes]:
    """The blocks of a streamed body; text is sent as UTF-8."""
    if hasattr(stream, "read"):
        while block := stream.read(BLOCK_BYTES):
            yield _as_bytes(block)
    else:
        for block in stream:
            if block:
                yield _as_bytes(block)


def as_chunk(block: bytes) -> bytes:
    """A block in chunked transfer coding."""
    return b"%x\r\n%b\r\n" % (len(block), block)


END_OF_CHUNKS: Final = b"0\r\n\r\n"


def _is_form(data: Any) -> bool:
    if isinstance(data, Mapping):
        return True
    return isinstance(data, list | tuple) and all(isinstance(item, tuple) and len(item) == 2 for item in data)


def _stream_length(stream: Any) -> int | None:
    """Bytes from the stream's position to its end, where it is a real file."""
    try:
        return os.fstat(stream.fileno()).st_size - int(stream.tell())
    except (AttributeError, OSError):
        return None


def _as_bytes(block: Any) -> bytes:
    if isinstance(block, str):
        return block.encode()
    if isinstance(block, bytes | bytearray | memoryview):
        return bytes(block)
    raise TypeError(f"blocks of a body must be bytes or text, not {type(block).__name__}")
