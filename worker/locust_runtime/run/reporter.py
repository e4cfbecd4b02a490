"""Sends reports: samples, users, health, logs and messages, whenever there is something to tell.

It looks every flush interval, and tells at least once a second that it lives. While the agent has not
accepted the last few reports, samples stay in the recorder and join what comes after them. `sent_ns` of a
report says until when it and those before it have all samples: what came later dies with this process.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from time import monotonic, monotonic_ns

import gevent
from gevent.lock import RLock

from locust_protocol.limits import (
    MAX_CUSTOM_MESSAGE_BYTES,
    MAX_CUSTOM_MESSAGES_PER_REPORT,
    MAX_REPORT_BYTES,
    OTHER_NAME,
    RUNNER_COMPLETE_WITHIN_S,
    RUNNER_FLUSH_INTERVAL_S,
)
from locust_protocol.runner.v1.link_pb2 import FromRunner
from locust_protocol.v1.report_pb2 import Report, RunnerData, WorkerEvent, WorkerEventKind, WorkerStatus
from locust_protocol.v1.value_pb2 import CustomMessage
from locust_runtime.run.link import Link
from locust_runtime.run.log_buffer import LogBuffer
from locust_runtime.run.recorder import RunRecorder
from locust_runtime.run.report_window import ReportWindow
from locust_runtime.run.status import StatusBoard
from locust_runtime.values import ValueRefused

logger = logging.getLogger(__name__)

HEARTBEAT_S = 1.0
"""Seconds after which a report is sent even when nothing has happened; user data is collected as often."""

MAX_WAITING_MESSAGES = 1_000
"""Custom messages that wait for a report: 16 reports' worth. Then sending one raises."""


class Reporter:
    """Makes the reports of a runner. For greenlets of one hub."""

    def __init__(
        self,
        *,
        link: Link,
        recorder: RunRecorder,
        logs: LogBuffer,
        board: StatusBoard,
        user_data: Callable[[], RunnerData | None],
        flush_interval_ms: int,
    ) -> None:
        """`user_data` is asked for what the locustfile adds, once a second."""
        self._link = link
        self._recorder = recorder
        self._logs = logs
        self._board = board
        self._user_data = user_data
        self._interval_s = flush_interval_ms / 1000 or RUNNER_FLUSH_INTERVAL_S
        self._window = ReportWindow()
        self._pending = Pending()
        self._last_news = WorkerStatus()
        self._complete_ns = 0
        """Until when, on this machine's monotonic clock, samples are in reports that were sent."""
        self._lock = RLock()

    def run(self) -> None:
        """Reports for ever; to be spawned."""
        while True:
            gevent.sleep(self._interval_s)
            self.flush()

    def start_run(self, run_id: bytes) -> None:
        """Number reports for this run from now on."""
        with self._lock:
            self._window = ReportWindow(run_id)

    def finish_run(self) -> None:
        """Send the run's final report; samples must not come any more."""
        with self._lock:
            self._send(is_final=True)
            self._window = ReportWindow()

    def accept(self, run_id: bytes, sequence: int) -> None:
        """Note what the agent has merged."""
        self._window.accept(run_id, sequence)

    def flush(self) -> None:
        """Send a report if there is something to tell."""
        with self._lock:
            news = self._board.news()
            has_news = (
                (self._recorder.has_samples and not self._window.is_full)
                or self._logs.has_records
                or self._pending.has_any
                or news != self._last_news
                or (bool(news.users) and self._is_word_due)
                or self._pending.is_heartbeat_due
            )
            if has_news:
                self._send(is_final=False)

    def add_message(self, message: CustomMessage) -> None:
        """Send a custom message with the next report.

        Raises `ValueRefused` for one that is too large, or when too many wait.
        """
        size_bytes = message.ByteSize()
        if size_bytes > MAX_CUSTOM_MESSAGE_BYTES:
            raise ValueRefused(
                f"a message of {size_bytes} bytes is over the limit of {MAX_CUSTOM_MESSAGE_BYTES}"
            )
        if len(self._pending.messages) >= MAX_WAITING_MESSAGES:
            raise ValueRefused(f"{MAX_WAITING_MESSAGES} messages wait to be sent already")
        self._pending.messages.append(message)

    @property
    def _is_word_due(self) -> bool:
        """True when at the next look it would be too late to say that there are no samples."""
        if self._recorder.has_samples:
            return False
        return (monotonic_ns() - self._complete_ns) / 1e9 + self._interval_s >= RUNNER_COMPLETE_WITHIN_S

    def _send(self, *, is_final: bool) -> None:
        is_heartbeat = is_final or self._pending.is_heartbeat_due
        user_data = self._user_data() if is_heartbeat and self._window.run_id else None
        now_ns = monotonic_ns()
        if not self._recorder.has_samples:
            report, self._complete_ns = Report(), now_ns
        elif is_final or not self._window.is_full:
            report, self._complete_ns = self._recorder.drain(), now_ns
        else:
            report = Report()
        report.sent_ns = self._complete_ns
        report.final = is_final
        if user_data is not None:
            report.user_data.append(user_data)
        self._note_limited_names()
        self._pending.move_into(report)
        report.logs.extend(self._logs.take())
        self._last_news = self._board.news()
        report.status.CopyFrom(self._board.message())
        report.run_id = self._window.run_id
        if self._window.run_id and (is_final or report.slices or report.user_data):
            report.sequence = self._window.next_sequence()
        if is_heartbeat:
            self._pending.heartbeat_sent_s = monotonic()
        self._link.send(FromRunner(report=report))

    def _note_limited_names(self) -> None:
        if self._recorder.is_over_series_limit and not self._window.is_limit_told:
            self._window.is_limit_told = True
            self._pending.events.append(
                WorkerEvent(
                    at_ms=self._recorder.run_time_ms(),
                    kind=WorkerEventKind.WORKER_EVENT_KIND_NAMES_LIMITED,
                    text=f"more request names than the limit are counted as {OTHER_NAME!r}: "
                    "give requests with ids in their path a name of their own (name=)",
                )
            )


class Pending:
    """What waits for the next report, samples and logs aside."""

    def __init__(self) -> None:
        self.events: list[WorkerEvent] = []
        self.messages: deque[CustomMessage] = deque()
        self.heartbeat_sent_s = -HEARTBEAT_S

    @property
    def is_heartbeat_due(self) -> bool:
        return monotonic() - self.heartbeat_sent_s >= HEARTBEAT_S

    @property
    def has_any(self) -> bool:
        return bool(self.events or self.messages)

    def move_into(self, report: Report) -> None:
        report.events.extend(self.events)
        self.events.clear()
        room_bytes = MAX_REPORT_BYTES // 2
        for _ in range(min(len(self.messages), MAX_CUSTOM_MESSAGES_PER_REPORT)):
            room_bytes -= self.messages[0].ByteSize()
            if room_bytes < 0:
                return
            report.messages.append(self.messages.popleft())
