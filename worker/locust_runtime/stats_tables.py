"""Tables of request statistics as text, and the background loops that print and keep them.

For scripts that use this package as a library and for `run_single_user`; the master has its own outputs.
The constants of `stats` are read at every call, since locustfiles set them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import gevent

from locust_runtime import stats as settings
from locust_runtime.request_stats import RequestStats, StatsEntry

if TYPE_CHECKING:
    from locust_runtime.runners import Runner

console_logger = logging.getLogger("locust.stats_logger")

_Value = TypeVar("_Value")

_TYPE_WIDTH = 8


def get_readable_percentiles(percentile_list: list[float]) -> list[str]:
    """Column titles of percentiles given as shares: 0.999 is `99.9%`."""
    return [f"{round(percentile * 100, 6):g}%" for percentile in percentile_list]


def sort_stats(stats: dict[Any, _Value]) -> list[_Value]:
    """The values of a dict, in the order of its keys."""
    return [stats[key] for key in sorted(stats)]


def get_stats_summary(stats: RequestStats, current: bool = True) -> list[str]:
    """Lines of the main table; rates are the current ones, else those of the whole test."""
    width = settings.STATS_NAME_WIDTH
    title = (
        f"{'Type':<{_TYPE_WIDTH}} {'Name':<{width}} {'# reqs':>7} {'# fails':>12} |"
        f"{'Avg':>7} {'Min':>7} {'Max':>7} {'Med':>7} | {'req/s':>7} {'failures/s':>11}"
    )
    rule = "-" * len(title)
    rows = [_stats_row(entry, current) for entry in sort_stats(stats.entries)]
    return [title, rule, *rows, rule, _stats_row(stats.total, current)]


def _stats_row(entry: StatsEntry, current: bool) -> str:
    rps = entry.current_rps if current else entry.total_rps
    fail_per_sec = entry.current_fail_per_sec if current else entry.total_fail_per_sec
    fails = f"{entry.num_failures}({entry.fail_ratio:.2%})"
    return (
        f"{entry.method:<{_TYPE_WIDTH}} {entry.name:<{settings.STATS_NAME_WIDTH}} "
        f"{entry.num_requests:>7} {fails:>12} |{entry.avg_response_time:>7.0f} "
        f"{entry.min_response_time or 0:>7.0f} {entry.max_response_time:>7.0f} "
        f"{entry.median_response_time:>7.0f} | {rps:>7.2f} {fail_per_sec:>11.2f}"
    )


def get_percentile_stats_summary(stats: RequestStats) -> list[str]:
    """Lines of the table of percentiles."""
    titles = " ".join(f"{title:>7}" for title in get_readable_percentiles(settings.PERCENTILES_TO_REPORT))
    title = f"{'Type':<{_TYPE_WIDTH}} {'Name':<{settings.STATS_NAME_WIDTH}} {titles} {'# reqs':>7}"
    rule = "-" * len(title)
    rows = [_percentile_row(entry) for entry in sort_stats(stats.entries) if entry.histogram.count]
    return ["Response time percentiles (ms)", title, rule, *rows, rule, _percentile_row(stats.total)]


def _percentile_row(entry: StatsEntry) -> str:
    values = " ".join(
        f"{entry.get_response_time_percentile(percentile):>7.0f}"
        for percentile in settings.PERCENTILES_TO_REPORT
    )
    return (
        f"{entry.method:<{_TYPE_WIDTH}} {entry.name:<{settings.STATS_NAME_WIDTH}} "
        f"{values} {entry.num_requests:>7}"
    )


def get_error_report_summary(stats: RequestStats) -> list[str]:
    """Lines of the list of errors."""
    title = f"{'# occurrences':<18} Error"
    rule = "-" * len(title)
    rows = [f"{error.occurrences:<18} {error.to_name()}" for error in stats.errors.values()]
    return ["Error report", title, rule, *rows, rule]


def print_stats(stats: RequestStats, current: bool = True) -> None:
    """Logs the main table."""
    _log_lines(get_stats_summary(stats, current))


def print_percentile_stats(stats: RequestStats) -> None:
    """Logs the table of percentiles."""
    _log_lines(get_percentile_stats_summary(stats))


def print_error_report(stats: RequestStats) -> None:
    """Logs the list of errors, if there are any."""
    if stats.errors:
        _log_lines(get_error_report_summary(stats))


def print_stats_json(stats: RequestStats) -> None:
    """Prints all entries as JSON on stdout."""
    print(json.dumps(stats.serialize_stats(), indent=4))


def _log_lines(lines: list[str]) -> None:
    for line in [*lines, ""]:
        console_logger.info("%s", line)


def stats_printer(stats: RequestStats) -> Callable[[], None]:
    """A function for `gevent.spawn` that logs the main table for ever."""

    def print_for_ever() -> None:
        while True:
            print_stats(stats)
            gevent.sleep(settings.CONSOLE_STATS_INTERVAL_SEC)

    return print_for_ever


def update_stats_history(runner: Runner, timestamp: str | None = None) -> None:
    """Adds the present figures to `stats.history`."""
    total = runner.stats.total
    moment = timestamp or datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    row: dict[str, Any] = {
        f"response_time_percentile_{percentile}": [
            moment,
            total.get_current_response_time_percentile(percentile) or 0,
        ]
        for percentile in settings.PERCENTILES_TO_CHART
    }
    row |= {
        "current_rps": [moment, total.current_rps],
        "current_fail_per_sec": [moment, total.current_fail_per_sec],
        "total_avg_response_time": [moment, round(total.avg_response_time, 2)],
        "user_count": [moment, runner.user_count],
        "time": moment,
    }
    runner.stats.history.append(row)


def stats_history(runner: Runner) -> None:
    """Adds the present figures to `stats.history` for ever, while a test runs."""
    while True:
        if runner.state not in ("ready", "stopped"):
            update_stats_history(runner)
        gevent.sleep(settings.HISTORY_STATS_INTERVAL_SEC)
