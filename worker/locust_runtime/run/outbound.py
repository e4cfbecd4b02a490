"""The one place where bytes leave for the agent: an ordered buffer before a socket that never blocks.

Two threads write frames: the hub (everything) and the native watchdog (signs of life while the hub is
blocked). Either may find the socket full in the middle of a frame. So what could not be sent stays in
front of all that is written later, whoever writes it, and frames cannot tear or interleave.

Must never wait: who wants to wait for a full socket does so outside, and calls `flush` again.
"""

from __future__ import annotations

import _socket

from gevent import monkey

_allocate_lock = monkey.get_original("_thread", "allocate_lock")


class FrameOutput:
    """Frames on their way to the socket. Safe to use from several native threads."""

    def __init__(self, socket: _socket.socket) -> None:
        self._socket = socket
        self._unsent = bytearray()
        self._lock = _allocate_lock()

    def write(self, frame: bytes) -> bool:
        """Append a whole frame and send what the socket takes; True when nothing is left over.

        Raises OSError when the other end is gone.
        """
        with self._lock:
            self._unsent += frame
            return self._send_some()

    def flush(self) -> bool:
        """Send more of what is left over; True when nothing is left. Raises OSError as `write` does."""
        with self._lock:
            return self._send_some()

    def _send_some(self) -> bool:
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent)
            except BlockingIOError:
                return False
            except InterruptedError:
                continue
            del self._unsent[:sent]
        return True
