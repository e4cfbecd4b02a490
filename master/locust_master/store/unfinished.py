"""Runs whose master died: finds them, reads what is needed to take one up, and closes the others.

Blocking; for a master that has the lock of the run directory, so that nobody writes there.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

from locust_master.snapshot import DEFAULT_QUANTILES, series_row
from locust_master.store.fact_rows import (
    read_losses,
    read_members,
    read_plan,
    read_progress,
    read_report_marks,
)
from locust_master.store.facts import StoredRun
from locust_master.store.reader import load_totals
from locust_master.store.run_dir import owner_token, run_files
from locust_master.store.run_file import Ending, RunFile
from locust_master.store.schema import BeingMade, UnknownVersion, connect
from locust_protocol.v1 import assignment_pb2, control_service_pb2, snapshot_pb2

logger = logging.getLogger(__name__)


def unfinished_files(run_dir: Path) -> list[Path]:
    """Returns the files of runs that say that they go on, newest first.

    Files that cannot be read are left alone, and said in the log.
    """
    return [path for path in run_files(run_dir) if _outcome(path) == control_service_pb2.RUN_OUTCOME_RUNNING]


def newest_if_interrupted(run_dir: Path) -> Path | None:
    """Returns the file of the newest run if that was closed as INTERRUPTED."""
    newest = next(iter(run_files(run_dir)), None)
    if newest is None or _outcome(newest) != control_service_pb2.RUN_OUTCOME_INTERRUPTED:
        return None
    return newest


def read_stored_run(path: Path) -> StoredRun | None:
    """Returns what is needed to take a run up; None when the file does not hold all of it.

    A release that did not keep it yet wrote it, or its master died at the start.
    """
    with closing(connect(path, create=False)) as connection:
        found, plan = read_progress(connection), read_plan(connection)
        run_id, options, defaults, settings, digest, summary = connection.execute(
            "SELECT run_id, options, defaults, settings, bundle_digest, summary FROM run"
        ).fetchone()
        if found is None or plan is None or defaults is None:
            return None
        progress, written = found
        return StoredRun(
            path=path,
            run_id=run_id,
            options=control_service_pb2.RunOptions.FromString(options),
            defaults=control_service_pb2.RunOptions.FromString(defaults),
            settings=assignment_pb2.RunSettings.FromString(settings),
            bundle_digest=digest,
            summary=snapshot_pb2.RunSummary.FromString(summary),
            written=written,
            progress=progress,
            plan=plan,
            members=read_members(connection),
            losses=read_losses(connection),
            reports=read_report_marks(connection),
        )


def close_interrupted(path: Path) -> None:
    """Writes that a run ended INTERRUPTED, with its totals as they were acknowledged.

    Raises `sqlite3.Error`, `UnknownVersion` or `MalformedReport` when the file cannot be read or written.
    """
    totals = load_totals(path)
    with closing(connect(path, create=False)) as connection:
        (blob,) = connection.execute("SELECT summary FROM run").fetchone()
    until_ms = totals.complete_until_ms()
    summary = snapshot_pb2.RunSummary.FromString(blob)
    summary.state = snapshot_pb2.RUN_STATE_STOPPED
    summary.elapsed_ms = max(0, totals.newest_end_ms)
    summary.interrupted = totals.interrupted_count
    summary.stats_epoch = totals.epoch
    file = RunFile.reopen(path, owner=owner_token(path.parent))
    try:
        file.finish(
            Ending(
                outcome=control_service_pb2.RUN_OUTCOME_INTERRUPTED,
                summary=summary,
                total=series_row(
                    totals, totals.total, quantiles=DEFAULT_QUANTILES, complete_until_ms=until_ms
                ),
                worker_names={bytes.fromhex(key): name for key, name in totals.worker_names.items()},
            )
        )
    finally:
        file.close()


def _outcome(path: Path) -> int | None:
    """Returns how a run ended; None when that cannot be read."""
    try:
        with closing(connect(path, create=False)) as connection:
            row = connection.execute("SELECT outcome FROM run").fetchone()
    except BeingMade:
        return None
    except (sqlite3.Error, UnknownVersion) as error:
        logger.warning("run left as it is file=%s error=%s", path, error)
        return None
    return None if row is None else int(row[0])
