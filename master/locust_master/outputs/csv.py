"""Locust's CSV tables: its columns, its order. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from locust_master.merging.history import Figures, Second
from locust_master.outputs.console import share_text
from locust_master.outputs.plain_text import cell, printable
from locust_master.outputs.report import PERCENTILES, Report, Row

_SHARES = tuple(share_text(share) for share in PERCENTILES)

STATS_HEAD = (
    *("Type", "Name", "Request Count", "Failure Count", "Median Response Time", "Average Response Time"),
    *("Min Response Time", "Max Response Time", "Average Content Size", "Requests/s", "Failures/s"),
    *_SHARES,
)
FAILURES_HEAD = ("Method", "Name", "Error", "Occurrences", "First Seen", "Last Seen")
EXCEPTIONS_HEAD = ("Count", "Message", "Traceback", "Nodes")
HISTORY_HEAD = (
    *("Timestamp", "User Count", "Type", "Name", "Requests/s", "Failures/s"),
    *_SHARES,
    *("Total Request Count", "Total Failure Count", "Total Median Response Time"),
    *("Total Average Response Time", "Total Min Response Time", "Total Max Response Time"),
    "Total Average Content Size",
)
NOT_AVAILABLE = "N/A"


def stats_csv(report: Report) -> str:
    """Returns the statistics by request name; the last row is all together."""
    return _table(STATS_HEAD, (_stats_row(row) for row in (*report.rows, report.total)))


def _stats_row(row: Row) -> list[object]:
    return [
        cell(printable(row.request_type)),
        cell(printable(row.name)),
        row.requests,
        row.failures,
        *(_number(value) for value in (row.median_ms, row.mean_ms, row.min_ms, row.max_ms)),
        row.mean_bytes,
        row.requests_per_s,
        row.failures_per_s,
        *(_number(value) for value in row.percentiles_ms),
    ]


def failures_csv(report: Report) -> str:
    """Returns the failures."""
    rows = (
        [
            cell(printable(failure.request_type)),
            cell(printable(failure.name)),
            cell(printable(failure.message)),
            failure.count,
            _moment(report.started_wall_ms + failure.first_ms),
            _moment(report.started_wall_ms + failure.last_ms),
        ]
        for failure in report.failures
    )
    return _table(FAILURES_HEAD, rows)


def exceptions_csv(report: Report) -> str:
    """Returns the exceptions of user code."""
    rows = (
        [
            exception.count,
            cell(printable(exception.message)),
            cell(exception.traceback),
            cell(", ".join(exception.workers)),
        ]
        for exception in report.exceptions
    )
    return _table(EXCEPTIONS_HEAD, rows)


def history_csv(report: Report) -> str:
    """Returns the run second by second; percentiles are those of the second."""
    rows = (_history_row(second, until, report.started_wall_ms) for second, until in report.history)
    return _table(HISTORY_HEAD, rows)


def _history_row(second: Second, until: Figures, started_wall_ms: int) -> list[object]:
    values = second.quantiles_us()
    return [
        (started_wall_ms + second.start_ms) // 1_000,
        second.users,
        "",
        "Aggregated",
        second.requests,
        second.failures,
        *(_number(None if share not in values else values[share] / 1_000) for share in PERCENTILES),
        until.requests,
        until.failures,
        _number(None if until.median_us is None else until.median_us / 1_000),
        _number(None if until.mean_us is None else until.mean_us / 1_000),
        until.min_us / 1_000,
        until.max_us / 1_000,
        until.response_bytes / until.requests if until.requests else 0,
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()


def _number(value: float | None) -> object:
    return NOT_AVAILABLE if value is None else value


def _moment(wall_ms: int) -> str:
    return datetime.fromtimestamp(wall_ms / 1_000, UTC).isoformat(timespec="milliseconds")
