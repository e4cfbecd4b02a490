"""The frames on a socketpair: whatever the stream is cut into, the same payloads come out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_protocol.framing import HEADER_BYTES, MAX_FRAME_BYTES, FrameDecoder, FrameTooLarge, encode_frame


@given(st.lists(st.binary(max_size=40), max_size=8), st.lists(st.integers(1, 12), min_size=1, max_size=20))
def test_decoder_returns_the_payloads_however_the_stream_is_cut(
    payloads: list[bytes], cut_sizes: list[int]
) -> None:
    """A socket gives bytes in pieces that have nothing to do with frames."""
    stream = b"".join(encode_frame(payload) for payload in payloads)
    decoder = FrameDecoder()

    received: list[bytes] = []
    start, turn = 0, 0
    while start < len(stream):
        size = cut_sizes[turn % len(cut_sizes)]
        received += decoder.feed(stream[start : start + size])
        start, turn = start + size, turn + 1

    assert received == payloads
    assert decoder.pending_bytes == 0


def test_encode_frame_puts_the_length_in_front_big_endian() -> None:
    """The wire format is a promise between two programs that may be of different builds."""
    assert encode_frame(b"abc") == b"\x00\x00\x00\x03abc"
    assert encode_frame(b"") == b"\x00\x00\x00\x00"


@pytest.mark.parametrize("cut_at", range(1, HEADER_BYTES + 3))
def test_decoder_shows_a_half_frame_at_the_end_of_the_stream(cut_at: int) -> None:
    """A process that dies while it writes leaves half a frame, which must not pass for a clean end."""
    decoder = FrameDecoder()

    assert decoder.feed(encode_frame(b"abc")[:cut_at]) == []

    assert decoder.pending_bytes == cut_at


@pytest.mark.parametrize(("size", "fits"), [(0, True), (9, True), (10, True), (11, False)])
def test_frames_are_refused_above_the_limit_on_both_sides(size: int, fits: bool) -> None:
    """A limit that only one side keeps is no limit."""
    payload = bytes(size)
    if fits:
        assert FrameDecoder(limit_bytes=10).feed(encode_frame(payload, limit_bytes=10)) == [payload]
        return
    with pytest.raises(FrameTooLarge):
        encode_frame(payload, limit_bytes=10)
    with pytest.raises(FrameTooLarge, match="11 bytes"):
        FrameDecoder(limit_bytes=10).feed(encode_frame(payload))


def test_decoder_stays_refusing_after_a_frame_that_was_too_large() -> None:
    """There is no way to find the next frame, so nothing that follows may be taken for one."""
    decoder = FrameDecoder()
    header = (MAX_FRAME_BYTES + 1).to_bytes(HEADER_BYTES, "big")
    with pytest.raises(FrameTooLarge):
        decoder.feed(header)

    with pytest.raises(FrameTooLarge):
        decoder.feed(encode_frame(b"later"))

    assert decoder.pending_bytes == 0
