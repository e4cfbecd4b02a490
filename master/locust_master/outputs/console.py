"""The report as tables of text, with the columns that Locust's users read. Makes lines, prints none. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TypeVar

from locust_master.merging.history import SHARES
from locust_master.outputs.report import FinalReport, ReportException, ReportFailure, ReportRow
from locust_master.outputs.text import plain
from locust_protocol.v1 import report_pb2

_Counted = TypeVar("_Counted", ReportFailure, ReportException)

MAX_LISTED = 50
"""Kinds of errors, and of exceptions, that are printed: what is above must stay on a screen."""

MAX_NAMED = 3
"""Workers that a progress line names."""

TYPE_WIDTH = 8
MAX_NAME_WIDTH = 76
MIN_NAME_WIDTH = 20
FIGURES_WIDTH = 92
"""Cells of all columns of the statistics but the name; seven digits of requests, all failed, fit theirs."""

PERCENTILES_WIDTH = 117
"""Cells of all columns of the percentiles but the name."""

ORIGINS = {
    report_pb2.ERROR_ORIGIN_GENERATOR: "[generator] ",
    report_pb2.ERROR_ORIGIN_SCRIPT: "[locustfile] ",
}
"""What stands before an error that is not the target's."""


def name_width(columns: int | None) -> int:
    """Returns the width of the name column on a terminal of so many columns; None: no terminal."""
    if columns is None:
        return MAX_NAME_WIDTH
    return max(MIN_NAME_WIDTH, min(columns - FIGURES_WIDTH, MAX_NAME_WIDTH))


def progress_line(
    report: FinalReport, *, state: str, users: int, target_users: int, workers: int, waiting: str = ""
) -> str:
    """Returns one line on how the run goes; `waiting` says for whom current figures stand still."""
    total = report.aggregated
    p95_us = total.quantiles_us[SHARES.index(0.95)]
    return (
        f"{clock(report.elapsed_ms)} {state}: {users} of {target_users} users on {workers} worker(s), "
        f"{total.current_rps:.1f} req/s, {total.current_failures_per_second:.1f} failures/s, "
        f"{total.requests} requests, {total.failures} failed, p95 {_ms(p95_us)} ms"
        f"{f'; {plain(waiting)}' if waiting else ''}"
    )


def waiting_for(silent_s: Mapping[str, float]) -> str:
    """Says for which workers a run waits, the one that was silent longest first; empty for none."""
    if not silent_s:
        return ""
    names = sorted(silent_s, key=lambda name: -silent_s[name])
    more = len(names) - MAX_NAMED
    named = ", ".join(names[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"waiting for {named}, silent for {max(silent_s.values()):.0f} s"


def statistics_table(report: FinalReport, *, width: int = MAX_NAME_WIDTH, current: bool) -> list[str]:
    """Returns the table of requests; rates of the last seconds when `current`, else of the whole run."""
    title = _statistics_cells(
        width, "Type", "Name", "# reqs", "# fails", "Avg", "Min", "Max", "Med", "req/s", "failures/s"
    )
    rule = "|".join("-" * cells for cells in (TYPE_WIDTH, width, 8, 17, 7, 7, 7, 8, 10, 11))
    rows = [_statistics_row(row, width, current=current) for row in report.rows]
    return [title, rule, *rows, rule, _statistics_row(report.aggregated, width, current=current)]


def percentile_table(report: FinalReport, *, width: int = MAX_NAME_WIDTH) -> list[str]:
    """Returns the table of percentiles, as wide as the statistics where its name column can give way.

    Rows without a response time are left out.
    """
    width = max(MIN_NAME_WIDTH, width - (PERCENTILES_WIDTH - FIGURES_WIDTH))
    titles = [f"{round(share * 100, 6):g}%" for share in SHARES]
    title = _percentile_cells(width, "Type", "Name", titles, "# reqs")
    rule = "|".join("-" * cells for cells in (TYPE_WIDTH, width, *[8] * len(SHARES), 8))
    rows = [_percentile_row(row, width) for row in report.rows if row.timed.count]
    lines = ["Response time percentiles (ms, within 0.1 %)", title, rule, *rows, rule]
    if report.aggregated.timed.count:
        lines.append(_percentile_row(report.aggregated, width))
    return lines


def error_report(report: FinalReport) -> list[str]:
    """Returns the list of failures; no line when there are none."""
    if not report.failures:
        return []
    rule = f"{'-' * 18}|{'-' * 91}"
    kept, more = _commonest(report.failures)
    rows = [
        f"{each.count:<18} {ORIGINS.get(each.origin, '')}"
        f"{plain(': '.join(part for part in (_joined(each.request_type, each.name), each.message) if part))}"
        for each in kept
    ]
    return ["Error report", f"{'# occurrences':<18} Error", rule, *rows, *more, rule]


def _commonest(rows: Sequence[_Counted]) -> tuple[list[_Counted], list[str]]:
    """Returns the rows to print, in their order, and a line about the rest."""
    if len(rows) <= MAX_LISTED:
        return list(rows), []
    shown = {id(row) for row in sorted(rows, key=lambda row: -row.count)[:MAX_LISTED]}
    rest = [row.count for row in rows if id(row) not in shown]
    line = f"{sum(rest):<18} … in {len(rest)} further kinds, which the run store has"
    return [row for row in rows if id(row) in shown], [line]


_FRAME = re.compile(r'^ *File "([^"]+)", line (\d+)', re.MULTILINE)


def raised_at(traceback: str) -> str:
    """Returns "file:line, " of the innermost frame of a formatted traceback; empty when it has none."""
    frames = _FRAME.findall(traceback)
    return f"{PurePath(frames[-1][0]).name}:{frames[-1][1]}, " if frames else ""


def exception_report(report: FinalReport) -> list[str]:
    """Returns the list of exceptions of user code; no line when there are none."""
    if not report.exceptions:
        return []
    rule = f"{'-' * 18}|{'-' * 91}"
    rows = []
    kept, more = _commonest(report.exceptions)
    for each in kept:
        where = f"{raised_at(each.traceback)}on {', '.join(each.workers)}"
        rows.append(f"{each.count:<18} {plain(each.message)} ({plain(where)})")
    return ["Exceptions", f"{'# occurrences':<18} Exception", rule, *rows, *more, rule]


def remarks(report: FinalReport) -> list[str]:
    """Returns what a reader must know about the numbers: interrupted requests, losses, a full generator."""
    lines = []
    if report.interrupted:
        lines.append(
            f"Interrupted: {report.interrupted} requests were on the wire when the users were stopped; "
            "the target may have counted them, the tables do not"
        )
    lines += [f"Degraded: {plain(sentence)}" for sentence in report.losses]
    lines += [f"Runners: {plain(sentence)}" for sentence in report.troubles]
    lines += [f"Generator-bound: {plain(sentence)}" for sentence in report.generator]
    lines += [f"Resumed: {plain(sentence)}" for sentence in report.resumed]
    if report.limited:
        lines.append(f"Names: {plain(report.limited)}")
    return lines


def summary(report: FinalReport, *, width: int = MAX_NAME_WIDTH) -> list[str]:
    """Returns all of the report, parts separated by empty lines."""
    parts = [
        statistics_table(report, width=width, current=False),
        percentile_table(report, width=width),
        error_report(report),
        exception_report(report),
        remarks(report),
    ]
    return [line for part in parts if part for line in (*part, "")]


def clock(elapsed_ms: int) -> str:
    """Returns a run time as 01:02:03."""
    minutes, seconds = divmod(elapsed_ms // 1_000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}"


def _statistics_row(row: ReportRow, width: int, *, current: bool) -> str:
    rps = row.current_rps if current else row.total_rps
    failures_per_second = row.current_failures_per_second if current else row.total_failures_per_second
    return _statistics_cells(
        width,
        plain(row.request_type),
        plain(row.name),
        str(row.requests),
        f"{row.failures}({row.failure_share * 100:.2f}%)",
        _ms(row.mean_us),
        _ms(row.timed.min_us),
        _ms(row.timed.max_us),
        _ms(row.median_us),
        f"{rps:.2f}",
        f"{failures_per_second:.2f}",
    )


def _statistics_cells(width: int, request_type: str, name: str, *figures: str) -> str:
    requests, failures, mean, low, high, median, rps, failures_per_second = figures
    return (
        f"{_cut(request_type, TYPE_WIDTH):<{TYPE_WIDTH}} {_cut(name, width):<{width}} "
        f"{requests:>8} {failures:>16} |"
        f"{mean:>7} {low:>7} {high:>7} {median:>7} | {rps:>9} {failures_per_second:>11}"
    )


def _percentile_row(row: ReportRow, width: int) -> str:
    values = [_ms(value) for value in row.quantiles_us]
    return _percentile_cells(width, plain(row.request_type), plain(row.name), values, str(row.requests))


def _percentile_cells(width: int, request_type: str, name: str, values: Sequence[str], requests: str) -> str:
    cells = " ".join(f"{value:>8}" for value in values)
    return (
        f"{_cut(request_type, TYPE_WIDTH):<{TYPE_WIDTH}} {_cut(name, width):<{width}} {cells} {requests:>8}"
    )


def _ms(value_us: float | None) -> str:
    """Whole milliseconds, as Locust's users know them; a tenth where whole ones say nothing."""
    value_ms = (value_us or 0.0) / 1_000
    return f"{value_ms:.1f}" if 0 < value_ms < 9.95 else f"{value_ms:.0f}"


def _joined(request_type: str, name: str) -> str:
    return f"{request_type} {name}".strip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
