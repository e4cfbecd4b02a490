"""What a master does with the runs that an earlier life of it left unfinished, before it serves anybody.

The newest is taken up where it was when all conditions hold; every other one is closed as INTERRUPTED, and
one line says why. One whose run time is over is what its command was asked for: it is reported, also by a
command that starts again right after, and not begun anew. A store by itself never starts a user.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from locust_master.cluster import Cluster
from locust_master.conductor import Conductor
from locust_master.merging.errors import MalformedReport
from locust_master.merging.totals import RunTotals
from locust_master.resuming.conditions import Obstacle, ObstacleKind, Wanted, away_s, obstacle, start_ns
from locust_master.resuming.cut_off import end, lacking
from locust_master.resuming.restore import is_embedded, restored_members, restored_run
from locust_master.run import Run
from locust_master.settings import MasterSettings
from locust_master.store.boot import now_written
from locust_master.store.facts import StoredRun, Written
from locust_master.store.reader import load_events, load_totals
from locust_master.store.schema import BeingMade, UnknownVersion
from locust_master.store.unfinished import (
    close_interrupted,
    newest_if_interrupted,
    read_stored_run,
    unfinished_files,
)
from locust_master.store.writer import RunWriter
from locust_protocol.v1 import snapshot_pb2

logger = logging.getLogger(__name__)

UNREADABLE = (sqlite3.Error, UnknownVersion, BeingMade, MalformedReport, ValueError, KeyError, TypeError)
"""What a file raises that another release wrote, or that is damaged."""


@dataclass(frozen=True, slots=True)
class NotTakenUp:
    """Why the newest run does not go on; `ended` is what it came to, where its run time is over.

    `lacking` says what is not in it. `was_known`: an earlier life of the master had closed it.
    """

    obstacle: Obstacle
    ended: Run | None = None
    lacking: str = ""
    was_known: bool = False


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A run with its samples; `over` when its run time is, and nothing else stands in the way."""

    stored: StoredRun
    totals: RunTotals
    events: list[snapshot_pb2.RunEvent]
    over: Obstacle | None


async def take_up(settings: MasterSettings, cluster: Cluster, conductor: Conductor) -> NotTakenUp | None:
    """Takes the newest unfinished run up, or closes it; older ones are closed.

    Returns what kept it from being taken up; None when it goes on, or there was none. The locustfile must be
    loaded, and no worker may be able to register yet.
    """
    paths = await asyncio.to_thread(unfinished_files, settings.run_dir)
    wanted = Wanted(
        resume_within_s=settings.resume_within_s,
        bundle_digest=conductor.locustfile.bundle.digest,
        options=settings.options,
        arguments=settings.runner_arguments,
    )
    if not paths:
        return await _known(settings, conductor, wanted)
    loaded = await asyncio.to_thread(_load, paths[0], wanted)
    found: NotTakenUp | None = None
    if isinstance(loaded, Obstacle):
        found = NotTakenUp(loaded)
    elif loaded.over is not None:
        ended = end(_restored(loaded, settings, conductor, now_written()))
        found = NotTakenUp(loaded.over, ended, lacking(loaded.stored))
    else:
        _go_on(loaded, settings, cluster, conductor)
        paths = paths[1:]
    await asyncio.to_thread(_close, paths, None if found is None else found.obstacle)
    return found


async def _known(settings: MasterSettings, conductor: Conductor, wanted: Wanted) -> NotTakenUp | None:
    """Returns the newest run when it was closed because its run time was over, and that is no while ago."""
    path = await asyncio.to_thread(newest_if_interrupted, settings.run_dir)
    loaded = None if path is None else await asyncio.to_thread(_load, path, wanted)
    if not isinstance(loaded, _Loaded) or loaded.over is None:
        return None
    ended = end(_restored(loaded, settings, conductor, now_written()))
    return NotTakenUp(loaded.over, ended, lacking(loaded.stored), was_known=True)


def _load(path: Path, wanted: Wanted) -> _Loaded | Obstacle:
    try:
        stored = read_stored_run(path)
        if stored is None:
            return Obstacle(ObstacleKind.INCOMPLETE, "its store lacks what is needed for that")
        found = obstacle(stored, wanted, now_written())
        if found is not None and found.kind is not ObstacleKind.RUN_TIME_OVER:
            return found
        totals = load_totals(path, max_series=stored.settings.max_names)
        return _Loaded(stored, totals, load_events(path), found)
    except UNREADABLE as error:
        return Obstacle(ObstacleKind.INCOMPLETE, f"its store cannot be read: {error}")


def _restored(loaded: _Loaded, settings: MasterSettings, conductor: Conductor, now: Written) -> Run:
    return restored_run(
        loaded.stored,
        totals=loaded.totals,
        events=loaded.events,
        bundle=conductor.locustfile.bundle.reference,
        settings=settings.run_settings(),
        loss_terms=settings.loss_terms,
        start_ns=start_ns(loaded.stored, now),
        now_ns=now.ns,
    )


def _go_on(loaded: _Loaded, settings: MasterSettings, cluster: Cluster, conductor: Conductor) -> None:
    stored, now = loaded.stored, now_written()
    zero_ns, gap_s = start_ns(stored, now), away_s(stored, now)
    run = _restored(loaded, settings, conductor, now)
    members = restored_members(stored, start_ns=zero_ns, now_ns=now.ns, away_s=gap_s)
    conductor.adopt(run, RunWriter.resume(stored.path, run.record))
    run.events.add(
        snapshot_pb2.RUN_EVENT_KIND_RESUMED,
        f"the master was away for {gap_s:.1f} s and took the run up again",
        at_ms=run.now_us(now.ns) // 1_000,
    )
    logger.warning(
        "run taken up again run=%s state=%s away_s=%.1f workers=%d requests=%d",
        run.record.run_id.hex()[:8],
        run.lifecycle.state.value,
        gap_s,
        len(members),
        run.totals.all_epochs.requests,
    )
    cluster.resume(
        run,
        members,
        dead=[member for member in members if member.is_live and is_embedded(member)],
        generation=stored.progress.generation,
        session_id=stored.progress.session_id,
        now_ns=now.ns,
    )


def _close(paths: Sequence[Path], newest: Obstacle | None) -> None:
    for path in paths:
        reason = newest.text if newest is not None and path == paths[0] else "a newer run is in the store"
        try:
            close_interrupted(path)
        except UNREADABLE as error:
            logger.warning("unfinished run cannot be closed file=%s error=%s", path, error)
        else:
            logger.warning("run not taken up, closed as INTERRUPTED file=%s: %s", path.name, reason)
