"""Hands the agent's own log records to the master, beside those of its runners."""

from __future__ import annotations

import logging

from locust_protocol.limits import MAX_LOG_LINE_CHARS
from locust_protocol.v1 import report_pb2
from locust_worker.extras import Extras


class LogRelay(logging.Handler):
    """Puts log records among what waits for the next report; the oldest go when there are too many."""

    def __init__(self, extras: Extras) -> None:
        super().__init__(logging.INFO)
        self._extras = extras

    def emit(self, record: logging.LogRecord) -> None:
        """Takes one record; one that cannot be formatted is the other handlers' business."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            return
        self._extras.put(
            "logs",
            report_pb2.LogRecord(
                wall_ms=int(record.created * 1000),
                level=level_of(record.levelno),
                source="agent",
                logger=record.name,
                text=text[:MAX_LOG_LINE_CHARS],
            ),
        )


def level_of(number: int) -> report_pb2.LogLevel.ValueType:
    """Returns the schema's level for one of `logging`."""
    if number >= logging.ERROR:
        return report_pb2.LOG_LEVEL_ERROR
    if number >= logging.WARNING:
        return report_pb2.LOG_LEVEL_WARNING
    return report_pb2.LOG_LEVEL_INFO if number >= logging.INFO else report_pb2.LOG_LEVEL_DEBUG
