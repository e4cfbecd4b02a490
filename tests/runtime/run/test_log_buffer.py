"""What of a log goes to the master, when there is too much of it."""

from __future__ import annotations

import logging

import pytest

from locust_protocol.limits import MAX_LOG_LINES_PER_REPORT
from locust_runtime.run import log_buffer
from locust_runtime.run.log_buffer import LINES_PER_S, LogBuffer


def fill(buffer: LogBuffer, lines: int) -> None:
    for number in range(lines):
        buffer.emit(
            logging.makeLogRecord({"name": "locustfile", "msg": f"line {number}", "levelno": logging.INFO})
        )


def test_log_storm_goes_up_at_ten_lines_a_second_and_the_rest_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A target that refuses connections makes thousands a second."""
    now_s = 100.0
    monkeypatch.setattr(log_buffer, "monotonic", lambda: now_s)
    buffer = LogBuffer(source="runner 0")
    fill(buffer, 60)
    assert len(buffer.take()) == MAX_LOG_LINES_PER_REPORT - 1
    taken, told, offered = 0, 0, 4_000
    for _ in range(40):
        now_s += 0.25
        fill(buffer, 100)
        if buffer.has_records:
            records = buffer.take()
            counts = [record for record in records if "dropped" in record.text]
            taken += len(records) - len(counts)
            told += sum(int(record.text.rpartition("=")[2]) for record in counts)
    assert taken <= 10 * LINES_PER_S + 2
    assert taken + told >= offered - log_buffer.MAX_WAITING_RECORDS


def test_log_of_a_quiet_runner_goes_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The traceback of a start that fails is there when the operator looks."""
    monkeypatch.setattr(log_buffer, "monotonic", lambda: 100.0)
    buffer = LogBuffer(source="runner 0")
    fill(buffer, 20)
    assert [record.text for record in buffer.take()] == [f"line {number}" for number in range(20)]
    assert not buffer.has_records
