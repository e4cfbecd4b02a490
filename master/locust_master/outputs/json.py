"""Locust's `--json`: the list of statistics entries, without the total. Pure."""

from __future__ import annotations

import json

from locust_master.outputs.report import Report, Row


def statistics_json(report: Report) -> str:
    """Returns the document; times in ms, seconds and timestamps on the wall clock of the run's start."""
    entries = [_entry(row, report.started_wall_ms) for row in report.rows]
    return json.dumps(entries, indent=4, ensure_ascii=False)


def _entry(row: Row, started_wall_ms: int) -> dict[str, object]:
    started_s = started_wall_ms // 1_000
    return {
        "name": row.name,
        "method": row.request_type,
        "last_request_timestamp": (started_wall_ms + row.last_ms) / 1_000,
        "start_time": (started_wall_ms + row.first_ms) / 1_000,
        "num_requests": row.requests,
        "num_none_requests": row.untimed,
        "num_failures": row.failures,
        "num_interrupted": row.interrupted,
        "total_response_time": row.total_ms,
        "max_response_time": row.max_ms or 0,
        "min_response_time": row.min_ms,
        "total_content_length": row.content_bytes,
        "response_times": {f"{time_us / 1_000:g}": count for time_us, count in sorted(row.times_us.items())},
        "num_reqs_per_sec": _by_wall_second(row.requests_by_second, started_s),
        "num_fail_per_sec": _by_wall_second(row.failures_by_second, started_s),
    }


def _by_wall_second(counts: dict[int, int], started_s: int) -> dict[str, int]:
    return {str(started_s + second): count for second, count in counts.items()}
