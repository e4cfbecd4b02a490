"""What the script host tells without being asked: custom messages and its log.

Messages leave at once, log records a few times a second. Both are bounded: what user code sends beyond the
limit is refused where it is sent.
"""

from __future__ import annotations

from collections import deque

from gevent.event import Event

from locust_protocol.limits import (
    MAX_CUSTOM_MESSAGE_BYTES,
    MAX_CUSTOM_MESSAGES_PER_REPORT,
    RUNNER_FLUSH_INTERVAL_S,
)
from locust_protocol.runner.v1.link_pb2 import FromRunner
from locust_protocol.v1.report_pb2 import Report
from locust_protocol.v1.value_pb2 import CustomMessage
from locust_runtime.run.link import Link
from locust_runtime.run.log_buffer import LogBuffer
from locust_runtime.values import ValueRefused

MAX_WAITING_MESSAGES = 1_000
"""Custom messages that wait to be sent: 16 reports' worth. Then sending one raises."""


class Uplink:
    """Sends frames to the master. For greenlets of one hub."""

    def __init__(self, link: Link, logs: LogBuffer) -> None:
        self._link = link
        self._logs = logs
        self._messages: deque[CustomMessage] = deque()
        self._has_messages = Event()

    def run(self) -> None:
        """Send messages and logs for ever; to be spawned."""
        while True:
            self._has_messages.wait(timeout=RUNNER_FLUSH_INTERVAL_S)
            self.flush()

    def send(self, frame: FromRunner) -> None:
        """Send a frame, and before it all that user code has said so far."""
        self.flush()
        self._link.send(frame)

    def add_message(self, message: CustomMessage) -> None:
        """Send a custom message. Raises `ValueRefused` for one that is too large, or when too many wait."""
        size_bytes = message.ByteSize()
        if size_bytes > MAX_CUSTOM_MESSAGE_BYTES:
            raise ValueRefused(
                f"a message of {size_bytes} bytes is over the limit of {MAX_CUSTOM_MESSAGE_BYTES}"
            )
        if len(self._messages) >= MAX_WAITING_MESSAGES:
            raise ValueRefused(f"{MAX_WAITING_MESSAGES} messages wait to be sent already")
        self._messages.append(message)
        self._has_messages.set()

    def flush(self) -> None:
        """Send what waits."""
        while self._messages or self._logs.has_records:
            count = min(len(self._messages), MAX_CUSTOM_MESSAGES_PER_REPORT)
            report = Report(messages=[self._messages.popleft() for _ in range(count)], logs=self._logs.take())
            self._link.send(FromRunner(report=report))
        self._has_messages.clear()
