"""Reads runs back from the store: the list of runs, and the exact totals of one.

Blocking; not for the event loop. A file that another release wrote, or that is damaged, is left out of the
list, and said in the log.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

from locust_master.merging.decoding import decode_slice
from locust_master.merging.seconds import SECOND_MS
from locust_master.merging.series import OTHER_ID, labels_of, series_key
from locust_master.merging.totals import RunTotals
from locust_master.store.fact_rows import read_users
from locust_master.store.facts import SecondUsers
from locust_master.store.run_dir import is_locked, owner_token, run_files
from locust_master.store.schema import BeingMade, UnknownVersion, connect
from locust_master.store.worker_reports import worker_reports
from locust_protocol.limits import MAX_SERIES_NAMES
from locust_protocol.v1 import control_service_pb2, report_pb2, snapshot_pb2

logger = logging.getLogger(__name__)


def list_runs(run_dir: Path, limit: int) -> list[control_service_pb2.StoredRun]:
    """Returns the newest `limit` runs, newest first."""
    living_owner = owner_token(run_dir) if is_locked(run_dir) else ""
    runs: list[control_service_pb2.StoredRun] = []
    for path in run_files(run_dir):
        if len(runs) >= limit:
            break
        try:
            with closing(connect(path, create=False)) as connection:
                runs.append(_stored_run(connection, living_owner))
        except BeingMade:
            continue
        except (sqlite3.Error, UnknownVersion) as error:
            logger.warning("run left out of the list file=%s error=%s", path, error)
    return runs


def load_events(path: Path) -> list[snapshot_pb2.RunEvent]:
    """Returns the events of a run in order. Raises as `load_totals`."""
    with closing(connect(path, create=False)) as connection:
        rows = connection.execute("SELECT event_id, at_ms, kind, text, actor FROM events ORDER BY event_id")
        return [
            snapshot_pb2.RunEvent(id=number, at_ms=at_ms, kind=kind, text=text, actor=actor)
            for number, at_ms, kind, text, actor in rows
        ]


def load_totals(path: Path, *, max_series: int = 0) -> RunTotals:
    """Returns the totals of a run, exactly those of all reports that were committed, and its seconds.

    `max_series` is the limit that the run had, 0 the one that is built in. Raises `sqlite3.Error`,
    `UnknownVersion` or `BeingMade` when the file cannot be read.
    """
    with closing(connect(path, create=False)) as connection:
        totals = RunTotals(max_series=max_series or MAX_SERIES_NAMES)
        names = dict(connection.execute("SELECT worker_uid, name FROM workers"))
        totals.begin_epoch(_newest_epoch(connection))
        for uid, blob in connection.execute("SELECT worker_uid, report FROM contributions"):
            report = report_pb2.Report.FromString(blob)
            end_ms = max((each.start_ms + each.width_ms for each in report.slices), default=0)
            totals.apply(uid.hex(), names.get(uid, uid.hex()[:8]), report, at_ms=end_ms)
        _restore_seconds(connection, totals)
        journal = connection.execute("SELECT worker_uid, report FROM journal ORDER BY worker_uid, sequence")
        for uid, blob in journal:
            report = report_pb2.Report.FromString(blob)
            totals.apply(
                uid.hex(),
                names.get(uid, uid.hex()[:8]),
                report,
                earlier=partial(worker_reports, connection, uid, before=report.sequence),
            )
        return totals


def _stored_run(connection: sqlite3.Connection, living_owner: str) -> control_service_pb2.StoredRun:
    row = connection.execute("SELECT run_id, owner, outcome, summary, total FROM run").fetchone()
    if row is None:
        raise BeingMade("its run is not in it yet")
    run_id, owner, outcome, summary_blob, total_blob = row
    summary = snapshot_pb2.RunSummary.FromString(summary_blob)
    if outcome == control_service_pb2.RUN_OUTCOME_RUNNING and owner != living_owner:
        outcome = control_service_pb2.RUN_OUTCOME_INTERRUPTED
        summary.state = snapshot_pb2.RUN_STATE_STOPPED
    stored = control_service_pb2.StoredRun(run_id=run_id, summary=summary, outcome=outcome)
    if total_blob is not None:
        stored.total.ParseFromString(total_blob)
        return stored
    requests, failures, end_ms = connection.execute(
        "SELECT TOTAL(requests), TOTAL(failures), MAX(start_ms + width_ms) FROM seconds"
    ).fetchone()
    stored.total.requests, stored.total.failures = int(requests), int(failures)
    stored.summary.elapsed_ms = max(0, end_ms or 0)
    return stored


def _newest_epoch(connection: sqlite3.Connection) -> int:
    resets = connection.execute(
        "SELECT COUNT(*) FROM events WHERE kind = ?", (snapshot_pb2.RUN_EVENT_KIND_RESET,)
    ).fetchone()[0]
    newest = 1 + int(resets)
    for table in ("contributions", "journal"):
        for (blob,) in connection.execute(f"SELECT report FROM {table}"):
            slices = report_pb2.Report.FromString(blob).slices
            newest = max([newest, *(each.stats_epoch for each in slices)])
    return newest


def _restore_seconds(connection: sqlite3.Connection, totals: RunTotals) -> None:
    numbers = _numbers(connection, totals)
    # In order of time: a second is closed once there are enough younger ones.
    users = read_users(connection)[::-1]
    rows = connection.execute("SELECT slice FROM seconds ORDER BY start_ms, width_ms, stats_epoch")
    for (blob,) in rows:
        decoded = decode_slice(report_pb2.Slice.FromString(blob))
        while users and users[-1].second * SECOND_MS <= decoded.start_ms:
            _note_users(totals, users.pop())
        totals.restore_seconds(decoded, numbers)
    for each in reversed(users):
        _note_users(totals, each)


def _note_users(totals: RunTotals, each: SecondUsers) -> None:
    at_ms = each.second * SECOND_MS
    totals.history.note_users(at_ms, each.users, revision=totals.revision)
    totals.history.note_planned(at_ms, each.planned_users, revision=totals.revision)


def _numbers(connection: sqlite3.Connection, totals: RunTotals) -> dict[int, int]:
    """Returns the totals' number of each series by its stored number."""
    numbers = {OTHER_ID: OTHER_ID}
    for number, blob in connection.execute("SELECT series_id, definition FROM series ORDER BY series_id"):
        definition = report_pb2.SeriesDefinition.FromString(blob)
        parent_id = numbers[definition.parent_id] if definition.HasField("parent_id") else None
        key = series_key(definition, labels=labels_of(definition), parent_id=parent_id)
        numbers[number] = totals.series.number(key)
    return numbers
