"""A native thread that answers for this process while user code blocks its loop, and ends it in time.

gevent runs one greenlet at a time: user code that computes for ten seconds stops every other one. The agent
must still learn that this process lives, and where it is stuck; and when the agent is gone, the process must
end even so. This thread therefore is the only reader of the link: it answers pings itself, hands everything
else to the hub, and exits the process when the link closes and the hub does not.

It must never touch gevent's world: no logging (its locks are patched), no greenlet, no queue of gevent; the
hub is woken by a libev async watcher, which is made for that. C code that holds the interpreter (a regular
expression that backtracks) stops this thread too: then silence is what the agent notices.
"""

from __future__ import annotations

import _socket
import os
import select
import sys
import time
import traceback
from collections.abc import Callable
from types import FrameType

from gevent import monkey

from locust_protocol.framing import FrameDecoder, FrameTooLarge, encode_frame
from locust_protocol.process.exit_codes import ExitCode
from locust_protocol.runner.v1.link_pb2 import FromRunner, Pong, ToRunner
from locust_runtime.run.lease import Lease
from locust_runtime.run.outbound import FrameOutput

BLOCKED_AFTER_S = 0.25
"""Seconds without a beat after which the loop counts as blocked: five beats, and far above a GC pause."""

PARENT_CHECK_S = 0.5
"""Seconds between two looks at the parent's pid, for systems whose kernel does not tell of its death."""

EXIT_GRACE_S = 0.7
"""Seconds that a running hub gets to end its users once the link is closed; runners are gone within 1 s."""

MAX_WAITING_FRAMES = 10_000
"""Frames that wait for a blocked hub. Beyond it the kernel's buffer fills and the agent feels it."""

READ_BYTES = 64 * 1024
"""Bytes asked of the socket at once."""

_POLL_HANGUP = getattr(select, "POLLRDHUP", select.POLLHUP)
_poll: Callable[[], select.poll] = monkey.get_original("select", "poll")
_sleep: Callable[[float], None] = monkey.get_original("time", "sleep")
_start_new_thread = monkey.get_original("_thread", "start_new_thread")
_get_ident: Callable[[], int] = monkey.get_original("_thread", "get_ident")


def exit_within(limit_s: float, exit_code: int) -> None:
    """End this process after so many seconds if it has not ended by itself; for any thread of user code."""

    def end() -> None:
        _sleep(limit_s)
        os._exit(exit_code)

    _start_new_thread(end, ())


class Pulse:
    """Proof that the hub runs: it beats, the watchdog looks."""

    __slots__ = ("beat_ns", "code_directory", "main_thread")

    def __init__(self) -> None:
        self.beat_ns = time.monotonic_ns()
        """The last beat, on the monotonic clock."""
        self.main_thread = _get_ident()
        """The native thread of the hub: the one that makes the pulse."""
        self.code_directory = ""
        """Where the locustfile is: a line in it is the one that a person can do something about."""

    def beat(self) -> None:
        """Called by a greenlet, a few times in `BLOCKED_AFTER_S`."""
        self.beat_ns = time.monotonic_ns()

    def blocked_us(self) -> int:
        """Microseconds since the last beat when the hub is blocked, 0 when it runs. For any thread."""
        silent_ns = time.monotonic_ns() - self.beat_ns
        return silent_ns // 1000 if silent_ns > BLOCKED_AFTER_S * 1e9 else 0

    def blocked_at(self) -> str:
        """`file:line` where the hub's thread is: as seen from the locustfile's folder if it passes that."""
        innermost = sys._current_frames().get(self.main_thread)
        frame: FrameType | None = innermost
        while frame is not None and self.code_directory:
            if frame.f_code.co_filename.startswith(self.code_directory):
                return _place(frame).removeprefix(self.code_directory)
            frame = frame.f_back
        return _place(innermost) if innermost is not None else ""


class Watchdog:
    """Reads the link on a native thread; see the module."""

    def __init__(
        self,
        *,
        socket: _socket.socket,
        output: FrameOutput,
        pulse: Pulse,
        lease: Lease,
        deliver: Callable[[ToRunner | None], int],
    ) -> None:
        """`deliver` takes each frame but pings, and None once when the link is closed; it is called on the
        native thread and returns how many frames the hub has not taken yet.
        """
        self._socket = socket
        self._output = output
        self._pulse = pulse
        self._lease = lease
        self._deliver = deliver
        self._decoder = FrameDecoder()
        self._parent_pid = os.getppid()
        self._waiting_frames = 0

    def start(self) -> None:
        """Start the thread. It ends with the process."""
        _start_new_thread(self._run, ())

    def frames_taken(self, waiting: int) -> None:
        """Told by the hub how many frames it has left: reading goes on when it was held back."""
        self._waiting_frames = waiting

    def _run(self) -> None:
        try:
            self._read_until_closed()
            self._deliver(None)
            self._exit_unless_the_hub_does()
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        os._exit(ExitCode.DEGRADED)

    def _read_until_closed(self) -> None:
        everything, hangup_only = _poll(), _poll()
        everything.register(self._socket.fileno(), select.POLLIN | _POLL_HANGUP)
        hangup_only.register(self._socket.fileno(), _POLL_HANGUP)
        while True:
            is_held_back = self._waiting_frames >= MAX_WAITING_FRAMES
            events = (hangup_only if is_held_back else everything).poll(PARENT_CHECK_S * 1000)
            if os.getppid() != self._parent_pid or (is_held_back and events):
                return
            if events and not self._read_some():
                return

    def _read_some(self) -> bool:
        """Take what the socket has; False when the link is closed or broken."""
        try:
            data = self._socket.recv(READ_BYTES)
            if not data:
                return False
            for payload in self._decoder.feed(data):
                self._take(ToRunner.FromString(payload))
        except (BlockingIOError, InterruptedError):
            return True
        except (OSError, FrameTooLarge):
            return False
        return True

    def _take(self, frame: ToRunner) -> None:
        if frame.WhichOneof("frame") != "ping":
            self._waiting_frames = self._deliver(frame)
            return
        if frame.ping.HasField("lease_until_ns"):
            self._lease.renew(frame.ping.lease_until_ns)
        blocked_us = self._pulse.blocked_us()
        pong = Pong(
            id=frame.ping.id,
            blocked_us=blocked_us,
            blocked_at=self._pulse.blocked_at() if blocked_us else "",
        )
        self._output.write(encode_frame(FromRunner(pong=pong).SerializeToString()))

    def _exit_unless_the_hub_does(self) -> None:
        deadline = time.monotonic() + EXIT_GRACE_S
        while time.monotonic() < deadline and not self._pulse.blocked_us():
            _sleep(0.02)


def _place(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
