"""All that a run's file has of one worker, as reports in order. Reads only."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from locust_protocol.v1 import report_pb2

ANY_SEQUENCE = 1 << 62


def worker_reports(
    connection: sqlite3.Connection, worker_uid: bytes, *, before: int = ANY_SEQUENCE
) -> Iterator[report_pb2.Report]:
    """Yields what was folded of a worker, then its reports since, with sequences below `before`."""
    rows = connection.execute(
        "SELECT sequence, report FROM contributions WHERE worker_uid = :uid AND sequence < :before"
        " UNION ALL SELECT sequence, report FROM journal WHERE worker_uid = :uid AND sequence < :before"
        " ORDER BY sequence",
        {"uid": worker_uid, "before": before},
    )
    for _, payload in rows:
        yield report_pb2.Report.FromString(payload)
