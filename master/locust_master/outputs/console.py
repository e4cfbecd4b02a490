"""Tables for a terminal, as Locust's users read them. Pure: returns text, prints nothing."""

from __future__ import annotations

from collections.abc import Sequence

from locust_master.outputs.plain_text import printable
from locust_master.outputs.report import PERCENTILES, Report, Row
from locust_protocol.process.timespan import format_duration

MIN_NAME_WIDTH = 20
TYPE_WIDTH = 8
PERCENTILE_WIDTH = 8
WIDTH_WITHOUT_NAME = 86
"""Columns of the statistics table beside the name."""

MAX_WIDTH = 160
"""Columns that a table takes at most, however wide the terminal is."""


def progress_line(*, state: str, users: int, target_users: int, elapsed_s: float, total: Row) -> str:
    """Returns one line that says how a run goes."""
    return (
        f"{format_duration(elapsed_s)} {state.upper()} {users}/{target_users} users, "
        f"{total.current_requests_per_s:.1f} req/s, {total.requests} requests, "
        f"{total.failures} failures ({total.failure_share:.2%}), "
        f"median {_ms(total.median_ms)} ms, 95% {_ms(total.percentiles_ms[5])} ms"
    )


def statistics_table(report: Report, *, width: int, is_current: bool) -> str:
    """Returns the statistics by request name, with rates of the last seconds (`is_current`) or of the run."""
    name_width = max(MIN_NAME_WIDTH, min(width, MAX_WIDTH) - WIDTH_WITHOUT_NAME)
    head = (
        f"{'Type':<{TYPE_WIDTH}} {'Name':<{name_width}} {'# reqs':>8} {'# fails':>14} |"
        f"{'Avg':>8} {'Min':>7} {'Max':>8} {'Med':>8} |{'req/s':>9} {'failures/s':>11}"
    )
    rule = _rule(name_width)
    lines = [head, rule]
    lines += [_statistics_line(row, name_width, is_current=is_current) for row in report.rows]
    return "\n".join([*lines, rule, _statistics_line(report.total, name_width, is_current=is_current), ""])


def _rule(name_width: int) -> str:
    left = TYPE_WIDTH + name_width + 26
    return f"{'-' * left}|{'-' * 35}|{'-' * 21}"


def _statistics_line(row: Row, name_width: int, *, is_current: bool) -> str:
    rates = (
        (row.current_requests_per_s, row.current_failures_per_s)
        if is_current
        else (row.requests_per_s, row.failures_per_s)
    )
    fails = f"{row.failures}({row.failure_share:.2%})"
    return (
        f"{_cut(row.request_type, TYPE_WIDTH):<{TYPE_WIDTH}} {_cut(row.name, name_width):<{name_width}} "
        f"{row.requests:>8} {fails:>14} |"
        f"{_ms(row.mean_ms):>8} {_ms(row.min_ms):>7} {_ms(row.max_ms):>8} {_ms(row.median_ms):>8} |"
        f"{rates[0]:>9.2f} {rates[1]:>11.2f}"
    )


def percentile_table(report: Report, *, width: int) -> str:
    """Returns response times by percentile."""
    columns = len(PERCENTILES) * (PERCENTILE_WIDTH + 1) + 10
    name_width = max(MIN_NAME_WIDTH, min(width, MAX_WIDTH) - columns - TYPE_WIDTH - 1)
    shares = " ".join(f"{share_text(share):>{PERCENTILE_WIDTH}}" for share in PERCENTILES)
    head = f"{'Type':<{TYPE_WIDTH}} {'Name':<{name_width}} {shares} {'# reqs':>8}"
    lines = [
        f"{_cut(row.request_type, TYPE_WIDTH):<{TYPE_WIDTH}} {_cut(row.name, name_width):<{name_width}} "
        + " ".join(f"{_ms(value):>{PERCENTILE_WIDTH}}" for value in row.percentiles_ms)
        + f" {row.requests:>8}"
        for row in (*report.rows, report.total)
    ]
    rule = "-" * len(head)
    return "\n".join(
        ["Response time percentiles in ms (within 0.1 %)", head, rule, *lines[:-1], rule, lines[-1], ""]
    )


def share_text(share: float) -> str:
    """Returns a percentile's heading: 0.999 is "99.9%"."""
    return f"{share * 100:.10g}%"


def error_table(report: Report) -> str:
    """Returns the failures, empty when there are none."""
    if not report.failures:
        return ""
    lines = [
        f"{failure.count:<18} {printable(f'{failure.request_type} {failure.name}: {failure.message}')}"
        for failure in sorted(report.failures, key=lambda failure: -failure.count)
    ]
    return _listing("Error report", "# occurrences      Error", lines)


def exception_table(report: Report) -> str:
    """Returns the exceptions of user code with their tracebacks, empty when there are none."""
    if not report.exceptions:
        return ""
    lines: list[str] = []
    for exception in sorted(report.exceptions, key=lambda exception: -exception.count):
        lines.append(f"{exception.count:<18} {printable(exception.message)}")
        lines += [f"{'':<18} {_indented(line)}" for line in exception.traceback.splitlines()]
    return _listing("Exceptions of the locustfile", "# occurrences      Message", lines)


def _indented(line: str) -> str:
    text = line.lstrip(" ")
    return " " * (len(line) - len(text)) + printable(text)


def _listing(title: str, head: str, lines: Sequence[str]) -> str:
    rule = "-" * 100
    return "\n".join([title, head, rule, *lines, rule, ""])


def closing_lines(report: Report) -> str:
    """Returns what the numbers leave out: interrupted requests and losses, empty when there is nothing."""
    lines = []
    if report.interrupted:
        lines.append(f"{report.interrupted} requests were cut off by the stop; they are in no number above.")
    lines += [f"DEGRADED: {sentence}" for sentence in report.lost]
    return "\n".join([*lines, ""]) if lines else ""


def summary(report: Report, *, width: int) -> str:
    """Returns everything that is shown at the end of a run."""
    parts = (
        statistics_table(report, width=width, is_current=False),
        percentile_table(report, width=width),
        error_table(report),
        exception_table(report),
        closing_lines(report),
    )
    return "\n".join(part for part in parts if part)


def _ms(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _cut(text: str, width: int) -> str:
    text = printable(text)
    return text if len(text) <= width else f"{text[: width - 1]}…"
