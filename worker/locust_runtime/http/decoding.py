"""Content encodings: gzip, deflate (with and without zlib's header) and br, whole or piece by piece. Pure.

An encoding that is unknown is left as it is, as requests does.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, Final

import brotli  # type: ignore[import-untyped]

_GZIP: Final = 16 + zlib.MAX_WBITS
_RAW_DEFLATE: Final = -zlib.MAX_WBITS

DECODING_ERRORS: Final[tuple[type[Exception], ...]] = (zlib.error, brotli.error)


def decode_content(content: bytes, encodings: str) -> bytes:
    """Undoes the encodings of a Content-Encoding field (comma separated, in the order they were applied).

    Raises zlib.error or brotli.error for a body that is not encoded as announced, or is cut short.
    """
    if not content:
        return content
    for encoding in reversed(encodings.lower().split(",")):
        content = _WHOLE.get(encoding.strip(), bytes)(content)
    return content


def stream_decoder(encodings: str) -> Callable[[bytes], bytes]:
    """A function that decodes one block after another; for streamed bodies."""
    steps = [
        _STREAMED[name]()
        for part in reversed(encodings.lower().split(","))
        if (name := part.strip()) in _STREAMED
    ]

    def decode(block: bytes) -> bytes:
        for step in steps:
            block = step(block)
        return block

    return decode


def _gunzip(content: bytes) -> bytes:
    whole = b""
    while content:
        # a gzip file may consist of several members, one after the other
        member = zlib.decompressobj(_GZIP)
        whole += member.decompress(content) + member.flush()
        if not member.eof:
            raise zlib.error("Error -5 while decompressing data: incomplete or truncated stream")
        content = member.unused_data.lstrip(b"\0")
    return whole


def _inflate(content: bytes) -> bytes:
    try:
        return zlib.decompress(content)
    except zlib.error:
        return zlib.decompress(content, _RAW_DEFLATE)


def _unbrotli(content: bytes) -> bytes:
    return bytes(brotli.decompress(content))


def _inflate_stream() -> Callable[[bytes], bytes]:
    """Decides by the first two bytes, the size of zlib's header, whether it is there."""
    decoder: Any = None
    begin = b""

    def decode(block: bytes) -> bytes:
        nonlocal decoder, begin
        if decoder is None:
            block = begin = begin + block
            if len(begin) < 2:
                return b""
            decoder = zlib.decompressobj()
            try:
                return bytes(decoder.decompress(block))
            except zlib.error:
                decoder = zlib.decompressobj(_RAW_DEFLATE)
        return bytes(decoder.decompress(block))

    return decode


_WHOLE: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate,
    "br": _unbrotli,
}
_STREAMED: Final[dict[str, Callable[[], Callable[[bytes], bytes]]]] = {
    "gzip": lambda: zlib.decompressobj(_GZIP).decompress,
    "x-gzip": lambda: zlib.decompressobj(_GZIP).decompress,
    "deflate": _inflate_stream,
    "br": lambda: brotli.Decompressor().process,
}
