"""Frames that leave from two threads: in order of writing, whole, whatever the socket takes at once."""

from __future__ import annotations

import _socket
import socket
import threading

import pytest

from locust_protocol.framing import FrameDecoder, encode_frame
from locust_runtime.run.outbound import FrameOutput


def test_output_never_tears_a_frame_when_two_threads_write() -> None:
    """The watchdog writes while the hub's frame is half sent."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    raw = _socket.socket(fileno=ours.detach())
    raw.setblocking(False)
    output = FrameOutput(raw)
    expected = {name: [name * length for length in range(1, 3000, 37)] for name in (b"a", b"b")}

    def write(name: bytes) -> None:
        for payload in expected[name]:
            output.write(encode_frame(payload))

    threads = [threading.Thread(target=write, args=(name,)) for name in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    decoder = FrameDecoder()
    received: list[bytes] = []
    wanted = sum(len(payloads) for payloads in expected.values())
    theirs.settimeout(10)
    while len(received) < wanted:
        output.flush()
        received += decoder.feed(theirs.recv(1000))
    assert {name: [each for each in received if each[:1] == name] for name in expected} == expected
    assert output.flush()
    raw.close()
    theirs.close()


def test_output_raises_when_the_other_end_is_gone() -> None:
    """The writer has to learn of it."""
    ours, theirs = socket.socketpair()
    theirs.close()
    raw = _socket.socket(fileno=ours.detach())
    raw.setblocking(False)
    with pytest.raises(OSError):
        FrameOutput(raw).write(encode_frame(b"x"))
    raw.close()
