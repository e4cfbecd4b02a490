"""Locust's four tables as CSV: statistics, failures, exceptions, history. Pure.

Columns and their order are Locust's. Times are in ms. Text from outside is escaped, so that opening a file
in a spreadsheet runs nothing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from locust_master.merging.history import SHARES
from locust_master.outputs.report import AGGREGATED, FinalReport, ReportRow, ReportSecond
from locust_master.outputs.text import spreadsheet_cell

NOT_AVAILABLE = "N/A"

PERCENTILES = tuple(f"{round(share * 100, 6):g}%" for share in SHARES)

STATS_COLUMNS = (
    "Type",
    "Name",
    "Request Count",
    "Failure Count",
    "Median Response Time",
    "Average Response Time",
    "Min Response Time",
    "Max Response Time",
    "Average Content Size",
    "Requests/s",
    "Failures/s",
    *PERCENTILES,
)
FAILURES_COLUMNS = ("Method", "Name", "Error", "Occurrences", "First Seen", "Last Seen")
EXCEPTIONS_COLUMNS = ("Count", "Message", "Traceback", "Nodes")
HISTORY_COLUMNS = (
    "Timestamp",
    "User Count",
    "Type",
    "Name",
    "Requests/s",
    "Failures/s",
    *PERCENTILES,
    "Total Request Count",
    "Total Failure Count",
    "Total Median Response Time",
    "Total Average Response Time",
    "Total Min Response Time",
    "Total Max Response Time",
    "Total Average Content Size",
)

Cell = str | int | float


def stats_csv(report: FinalReport) -> str:
    """Returns the statistics, the aggregated row last."""
    return _table(STATS_COLUMNS, map(_stats_row, (*report.rows, report.aggregated)))


def failures_csv(report: FinalReport) -> str:
    """Returns the failures; moments in UTC."""
    return _table(
        FAILURES_COLUMNS,
        (
            (
                each.request_type,
                each.name,
                each.message,
                each.count,
                _moment(report.wall_s(each.first_ms)),
                _moment(report.wall_s(each.last_ms)),
            )
            for each in report.failures
        ),
    )


def exceptions_csv(report: FinalReport) -> str:
    """Returns the exceptions of user code."""
    return _table(
        EXCEPTIONS_COLUMNS,
        ((each.count, each.message, each.traceback, ", ".join(each.workers)) for each in report.exceptions),
    )


def history_csv(report: FinalReport) -> str:
    """Returns the run second by second; percentiles are those of the second, totals those up to its end."""
    return _table(HISTORY_COLUMNS, (_history_row(report, second) for second in report.seconds))


def _stats_row(row: ReportRow) -> Sequence[Cell]:
    return (
        row.request_type,
        row.name,
        row.requests,
        row.failures,
        _ms(row.median_us),
        _ms(row.mean_us),
        _ms(row.timed.min_us),
        _ms(row.timed.max_us),
        round(row.mean_bytes, 3),
        round(row.total_rps, 6),
        round(row.total_failures_per_second, 6),
        *_percentiles(row.quantiles_us),
    )


def _history_row(report: FinalReport, second: ReportSecond) -> Sequence[Cell]:
    total = second.until_end
    return (
        int(report.wall_s(second.start_ms)),
        second.users,
        "",
        AGGREGATED,
        second.requests,
        second.failures,
        *_percentiles(second.quantiles_us),
        total.requests,
        total.failures,
        _ms(total.median_us),
        _ms(total.mean_us),
        _ms(total.min_us),
        _ms(total.max_us),
        round(total.response_bytes / total.requests, 3) if total.requests else 0,
    )


def _percentiles(values_us: Sequence[float | None]) -> list[Cell]:
    return [NOT_AVAILABLE if value is None else _ms(value) for value in values_us]


def _ms(value_us: float | None) -> float:
    return round((value_us or 0.0) / 1_000, 3)


def _moment(wall_s: float) -> str:
    return f"{datetime.fromtimestamp(wall_s, tz=UTC):%Y-%m-%dT%H:%M:%SZ}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([spreadsheet_cell(cell) if isinstance(cell, str) else cell for cell in row])
    return out.getvalue()
