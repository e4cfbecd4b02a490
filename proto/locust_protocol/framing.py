"""Turns a byte stream into frames and back: a 4-byte big-endian length, then that many bytes.

This is what travels on the socketpair between an agent and its runners, and between the master and its
script host. Nothing here knows a socket, so the same code serves an asyncio transport, a gevent socket
and a test that cuts the stream anywhere.

A frame longer than `MAX_FRAME_BYTES` is refused before it is read: its sender is broken or hostile, and
there is no way to find the next frame in such a stream.
"""

from __future__ import annotations

HEADER_BYTES = 4
"""Bytes of the length in front of each frame."""

MAX_FRAME_BYTES = 16 * 1024 * 1024
"""Bytes in one frame's payload: twice the largest gRPC message, so what fits the network fits here."""


class FrameTooLarge(ValueError):
    """A frame announces, or would have, more bytes than the limit. The stream cannot be used any further."""

    def __init__(self, frame_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"a frame of {frame_bytes} bytes is over the limit of {limit_bytes} bytes")
        self.frame_bytes = frame_bytes
        self.limit_bytes = limit_bytes


def encode_frame(payload: bytes, *, limit_bytes: int = MAX_FRAME_BYTES) -> bytes:
    """Return the payload with its length in front, ready to be written.

    Raises `FrameTooLarge` when the payload is longer than `limit_bytes`.
    """
    if len(payload) > limit_bytes:
        raise FrameTooLarge(len(payload), limit_bytes)
    return len(payload).to_bytes(HEADER_BYTES, "big") + payload


class FrameDecoder:
    """Collects the bytes of one stream and gives back the payloads that have become complete."""

    __slots__ = ("_buffer", "_limit_bytes", "_refused_bytes")

    def __init__(self, *, limit_bytes: int = MAX_FRAME_BYTES) -> None:
        self._buffer = bytearray()
        self._limit_bytes = limit_bytes
        self._refused_bytes: int | None = None

    @property
    def pending_bytes(self) -> int:
        """Bytes of a frame that has begun and not ended; above 0 at the end of a stream, it was cut."""
        return len(self._buffer)

    def feed(self, data: bytes | bytearray | memoryview) -> list[bytes]:
        """Take the next bytes of the stream, return the payloads they complete, oldest first.

        Raises `FrameTooLarge` when a header announces more than the limit, and again on every later call;
        frames that the same call completed are dropped, as their sender can no longer be trusted.
        """
        if self._refused_bytes is not None:
            raise FrameTooLarge(self._refused_bytes, self._limit_bytes)
        self._buffer += data
        payloads: list[bytes] = []
        start, end = 0, len(self._buffer)
        with memoryview(self._buffer) as view:
            while end - start >= HEADER_BYTES:
                body = start + HEADER_BYTES
                length = int.from_bytes(view[start:body], "big")
                if length > self._limit_bytes:
                    self._refused_bytes = length
                    break
                if body + length > end:
                    break
                payloads.append(bytes(view[body : body + length]))
                start = body + length
        if self._refused_bytes is not None:
            self._buffer.clear()
            raise FrameTooLarge(self._refused_bytes, self._limit_bytes)
        del self._buffer[:start]
        return payloads
