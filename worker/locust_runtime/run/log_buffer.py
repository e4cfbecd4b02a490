"""Log records on their way to the master, beside the log on this machine.

A log storm must not stop reports: what is over the limit is dropped, oldest first, counted, and said. A burst
goes through at once, a storm at ten lines a second; the log on this machine has them all.
"""

from __future__ import annotations

import logging
from collections import deque
from time import monotonic

from locust_protocol.limits import MAX_LOG_LINE_CHARS, MAX_LOG_LINES_PER_REPORT
from locust_protocol.v1.report_pb2 import LogLevel, LogRecord
from locust_runtime.run.failure_texts import shortened

MAX_WAITING_RECORDS = 200
"""Records that wait for a report: four reports' worth, for the burst at a start or a failure."""


LINES_PER_S = 10
"""Records a second that go to the master in the long run."""

BURST_LINES = MAX_LOG_LINES_PER_REPORT
"""Records that may go at once after a quiet while."""


class LogBuffer(logging.Handler):
    """A logging handler that keeps records until `take`."""

    def __init__(self, *, source: str) -> None:
        """`source` is who the records come from, for example `runner 2`."""
        super().__init__()
        self._source = source
        self._records: deque[LogRecord] = deque(maxlen=MAX_WAITING_RECORDS)
        self._dropped = 0
        self._room = float(BURST_LINES)
        self._looked_s = monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception:
            text = str(record.msg)  # a record whose arguments do not fit it; logging says so on stderr
        if len(self._records) == MAX_WAITING_RECORDS:
            self._dropped += 1
        self._records.append(
            LogRecord(
                wall_ms=int(record.created * 1000),
                level=_level(record.levelno),
                source=self._source,
                logger=shortened(record.name, MAX_LOG_LINE_CHARS),
                text=shortened(text, MAX_LOG_LINE_CHARS),
            )
        )

    @property
    def has_records(self) -> bool:
        """Whether something waits that may go now."""
        return bool(self._records) and self._room_now() >= 1

    def take(self) -> list[LogRecord]:
        """Return the oldest records, as many as one report may have; a last one tells of dropped ones."""
        room = min(MAX_LOG_LINES_PER_REPORT - 1, int(self._room_now()))
        taken = [self._records.popleft() for _ in range(min(room, len(self._records)))]
        self._room -= len(taken)
        if self._dropped and taken:
            dropped, self._dropped = self._dropped, 0
            taken.append(
                LogRecord(
                    wall_ms=taken[-1].wall_ms,
                    level=LogLevel.LOG_LEVEL_WARNING,
                    source=self._source,
                    logger=__name__,
                    text=f"log records were dropped, there are too many: count={dropped}",
                )
            )
        return taken

    def _room_now(self) -> float:
        now_s = monotonic()
        self._room = min(BURST_LINES, self._room + (now_s - self._looked_s) * LINES_PER_S)
        self._looked_s = now_s
        return self._room


def _level(number: int) -> LogLevel.ValueType:
    if number >= logging.ERROR:
        return LogLevel.LOG_LEVEL_ERROR
    if number >= logging.WARNING:
        return LogLevel.LOG_LEVEL_WARNING
    if number >= logging.INFO:
        return LogLevel.LOG_LEVEL_INFO
    return LogLevel.LOG_LEVEL_DEBUG
