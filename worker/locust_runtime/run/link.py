"""The hub's end of the link to the agent, or to the master: typed messages in and out.

Inward, a native thread reads (see `watchdog.py`) and wakes the hub. Outward, one writer greenlet takes
messages from a bounded queue, so a slow agent slows the sender and never grows memory. The descriptor is
closed on exec at once: a program that user code starts must not hold the link open.
"""

from __future__ import annotations

import _socket
import os
from collections import deque
from collections.abc import Iterator
from contextlib import suppress

import gevent
from gevent.event import Event
from gevent.queue import Queue
from gevent.socket import wait_write
from gevent.timeout import Timeout

from locust_protocol.framing import encode_frame
from locust_protocol.runner.v1.link_pb2 import FromRunner, ToRunner
from locust_runtime.run.lease import Lease
from locust_runtime.run.outbound import FrameOutput
from locust_runtime.run.watchdog import Pulse, Watchdog

MAX_QUEUED_MESSAGES = 64
"""Messages that wait for the writer: some seconds of reports. Then `send` waits."""

WRITABLE_CHECK_S = 1.0
"""Seconds after which a socket that stays full is tried again, come what may."""


class LinkClosed(Exception):
    """The other end of the link is gone: this process has no purpose any more."""


class Link:
    """Sends and receives the messages of `locust/runner/v1/link.proto`. For greenlets of one hub."""

    def __init__(self, fd: int, pulse: Pulse) -> None:
        """Takes over the descriptor of a connected stream socket."""
        os.set_inheritable(fd, False)
        self._socket = _socket.socket(fileno=fd)
        self._socket.setblocking(False)
        self._output = FrameOutput(self._socket)
        self._outgoing: Queue[bytes] = Queue(maxsize=MAX_QUEUED_MESSAGES)
        self._incoming: deque[ToRunner | None] = deque()
        self._arrived = Event()
        self._is_idle = Event()
        self._is_idle.set()
        self._wake = gevent.get_hub().loop.async_()
        self._wake.start(self._arrived.set)
        self.lease = Lease()
        self._watchdog = Watchdog(
            socket=self._socket, output=self._output, pulse=pulse, lease=self.lease, deliver=self._deliver
        )

    def start(self) -> None:
        """Start reading and writing."""
        self._watchdog.start()
        gevent.spawn(self._write_queued)

    def send(self, message: FromRunner) -> None:
        """Queue a message; waits while the queue is full. Raises FrameTooLarge for one over 16 MiB."""
        frame = encode_frame(message.SerializeToString())
        self._is_idle.clear()
        self._outgoing.put(frame)

    def messages(self) -> Iterator[ToRunner]:
        """Yield what arrives, pings excepted; waits in between. Raises `LinkClosed` at the end."""
        while True:
            while self._incoming:
                message = self._incoming.popleft()
                self._watchdog.frames_taken(len(self._incoming))
                if message is None:
                    raise LinkClosed("the link was closed by the other end")
                yield message
            self._arrived.clear()
            if not self._incoming:
                self._arrived.wait()

    def wait_sent(self, *, timeout_s: float) -> bool:
        """Wait until all that was sent has been handed to the kernel; False at the timeout."""
        return bool(self._is_idle.wait(timeout=timeout_s))

    def _deliver(self, message: ToRunner | None) -> int:
        # On the watchdog's thread: append and async_.send are the only calls here that are safe there.
        self._incoming.append(message)
        self._wake.send()
        return len(self._incoming)

    def _write_queued(self) -> None:
        try:
            while True:
                is_sent = self._output.write(self._outgoing.get())
                while not is_sent:
                    self._wait_writable()
                    is_sent = self._output.flush()
                if self._outgoing.empty():
                    self._is_idle.set()
        except OSError:
            # The reader learns of it too, and the process ends; here nothing more can be sent.
            self._discard_queued()

    def _wait_writable(self) -> None:
        # A peer that closed never becomes writable on every system: look again after a while.
        with suppress(Timeout):
            wait_write(self._socket.fileno(), timeout=WRITABLE_CHECK_S, timeout_exc=Timeout())

    def _discard_queued(self) -> None:
        while True:
            self._outgoing.get()
