"""Locust's list of statistics entries as JSON: what `--json` prints and scripts read. Pure."""

from __future__ import annotations

import json
from typing import Any

from locust_master.outputs.report import FinalReport, ReportRow
from locust_protocol.histogram import bucket_midpoint_us

SECOND_MS = 1_000


def stats_json(report: FinalReport) -> str:
    """Returns the entries, one a request name, without the aggregated row; times in ms, moments in s."""
    return json.dumps([_entry(report, row) for row in report.rows], indent=4)


def _entry(report: FinalReport, row: ReportRow) -> dict[str, Any]:
    timed = row.timed
    return {
        "name": row.name,
        "method": row.request_type,
        "last_request_timestamp": None if row.last_ms is None else report.wall_s(row.last_ms),
        "start_time": report.wall_s(row.first_ms or 0),
        "num_requests": row.requests,
        "num_none_requests": row.untimed,
        "num_failures": row.failures,
        "total_response_time": timed.total_us / 1_000,
        "max_response_time": timed.max_us / 1_000,
        "min_response_time": timed.min_us / 1_000 if timed.count else None,
        "total_content_length": row.response_bytes,
        "response_times": _response_times(row),
        "num_reqs_per_sec": _by_wall_second(report, row.requests_by_second),
        "num_fail_per_sec": _by_wall_second(report, row.failures_by_second),
    }


def _response_times(row: ReportRow) -> dict[str, int]:
    """Counts by response time in whole milliseconds."""
    counts: dict[int, int] = {}
    for bucket, count in sorted(row.timed.counts.items()):
        value_ms = round(bucket_midpoint_us(bucket) / 1_000)
        counts[value_ms] = counts.get(value_ms, 0) + count
    return {str(value_ms): count for value_ms, count in counts.items()}


def _by_wall_second(report: FinalReport, counts: dict[int, int]) -> dict[str, int]:
    return {str(int(report.wall_s(second * SECOND_MS))): count for second, count in counts.items()}
