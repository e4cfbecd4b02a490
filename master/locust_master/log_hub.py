"""Log records of the whole fleet in one bounded ring, which any number of clients follow."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress

from locust_master.revision import Revision
from locust_protocol.v1 import report_pb2

RING_RECORDS = 2_000
"""Records kept; a client that falls further behind is told how many it missed."""

MAX_TEXT_CHARS = 4_096
"""Characters of one record's text; the rest is cut."""

MAX_BATCH = 500
"""Records handed to a client at once."""

MAX_PAST_RECORDS = 500
"""Records from before it came that a client may ask for."""

_LEVELS = (
    (logging.ERROR, report_pb2.LOG_LEVEL_ERROR),
    (logging.WARNING, report_pb2.LOG_LEVEL_WARNING),
    (logging.INFO, report_pb2.LOG_LEVEL_INFO),
)


class LogHub(logging.Handler):
    """Takes the master's own records as a logging handler, and the workers' from their reports.

    Made on the event loop's thread; other threads may log through it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._ring: deque[report_pb2.LogRecord] = deque(maxlen=RING_RECORDS)
        self._count = 0
        self._revision = Revision()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Takes one record of the master's own."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            text = str(record.msg)
        made = report_pb2.LogRecord(
            wall_ms=time.time_ns() // 1_000_000,
            level=level_of(record.levelno),
            source="master",
            logger=record.name,
            text=text[:MAX_TEXT_CHARS],
        )
        if threading.get_ident() == self._thread:
            self.add(made)
        else:
            with suppress(RuntimeError):  # the loop is closed: nobody follows any more
                self._loop.call_soon_threadsafe(self.add, made)

    def add(self, record: report_pb2.LogRecord) -> None:
        """Adds a record."""
        self._ring.append(record)
        self._count += 1
        self._revision.bump()

    async def follow(
        self, *, past_records: int, min_level: report_pb2.LogLevel.ValueType
    ) -> AsyncIterator[tuple[list[report_pb2.LogRecord], int]]:
        """Yields batches of new records and how many were missed before them, for ever."""
        # Past records that are not kept any more were never promised: they do not count as skipped.
        past_records = min(past_records, MAX_PAST_RECORDS, len(self._ring))
        seen = self._count - past_records
        revision = 0
        while True:
            first_kept = self._count - len(self._ring)
            skipped = max(0, first_kept - seen)
            start = max(seen, first_kept) - first_kept
            batch = list(self._ring)[start : start + MAX_BATCH]
            seen = max(seen, first_kept) + len(batch)
            wanted = [record for record in batch if (record.level or report_pb2.LOG_LEVEL_INFO) >= min_level]
            if wanted or skipped:
                yield wanted, skipped
            if seen >= self._count:
                revision = await self._revision.wait_after(revision)


def level_of(number: int) -> report_pb2.LogLevel.ValueType:
    """Returns the level of a record of Python's logging."""
    return next((level for least, level in _LEVELS if number >= least), report_pb2.LOG_LEVEL_DEBUG)
