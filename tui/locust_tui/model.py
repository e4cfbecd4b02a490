"""What this client knows of the master: a picture, and how a snapshot changes it. Pure.

A stream starts with a whole snapshot and goes on with changed rows, so a picture is the sum of what a
stream has brought. Rows of another run, of another life of the master or of closed statistics must never
be mixed in: a whole snapshot or a new master epoch replaces everything, a new run drops the rows, a reset
drops the statistics.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from locust_protocol.limits import OTHER_NAME
from locust_protocol.v1.report_pb2 import SeriesDefinition
from locust_protocol.v1.snapshot_pb2 import (
    ErrorRow,
    ExceptionRow,
    HistoryPoint,
    RunEvent,
    RunState,
    RunSummary,
    SeriesRow,
    Snapshot,
    Warning,
    WorkerSummary,
)

MAX_HISTORY_POINTS = 1_800
"""Seconds of charts that are kept: half an hour; older ones are dropped."""

MAX_EVENTS = 500
"""Events that are kept, the newest."""

MOVING = frozenset({RunState.RUN_STATE_SPAWNING, RunState.RUN_STATE_RUNNING, RunState.RUN_STATE_STOPPING})
"""States in which a run goes on and news is due every second."""

_Row = TypeVar("_Row")

_OTHER = SeriesDefinition(id=0, name=OTHER_NAME)


@dataclass(frozen=True, slots=True)
class Picture:
    """All that is known; empty before the first snapshot. Rows are keyed by the master's numbers."""

    is_known: bool = False
    master_epoch: int = 0
    generation: int = 0
    run: RunSummary = field(default_factory=RunSummary)
    total: SeriesRow = field(default_factory=SeriesRow)
    workers: tuple[WorkerSummary, ...] = ()
    warnings: tuple[Warning, ...] = ()
    definitions: Mapping[int, SeriesDefinition] = field(default_factory=dict)
    series: Mapping[int, SeriesRow] = field(default_factory=dict)
    errors: Mapping[int, ErrorRow] = field(default_factory=dict)
    exceptions: Mapping[int, ExceptionRow] = field(default_factory=dict)
    history: Mapping[int, HistoryPoint] = field(default_factory=dict)
    events: Mapping[int, RunEvent] = field(default_factory=dict)

    @property
    def is_moving(self) -> bool:
        """Whether a run goes on."""
        return self.run.state in MOVING

    @property
    def has_run(self) -> bool:
        """Whether there is a run, be it ended."""
        return self.is_known and self.run.state not in (
            RunState.RUN_STATE_UNSPECIFIED,
            RunState.RUN_STATE_READY,
        )

    def definition(self, series_id: int) -> SeriesDefinition:
        """Returns what a series counts; for a number that was never explained, one that says so."""
        if series_id == 0:
            return self.definitions.get(0, _OTHER)
        return self.definitions.get(series_id) or SeriesDefinition(id=series_id, name=f"series {series_id}")


def apply(picture: Picture, snapshot: Snapshot) -> Picture:
    """Returns the picture after `snapshot`."""
    kept = _kept(picture, snapshot)
    same_life = kept.master_epoch == snapshot.master_epoch
    return replace(
        kept,
        is_known=True,
        master_epoch=snapshot.master_epoch,
        generation=max(kept.generation, snapshot.generation) if same_life else snapshot.generation,
        run=snapshot.run if snapshot.HasField("run") else kept.run,
        total=snapshot.total if snapshot.HasField("total") else kept.total,
        workers=tuple(snapshot.workers),
        warnings=tuple(snapshot.warnings),
        definitions=_with(
            kept.definitions,
            ((row.id, row.definition) for row in snapshot.series if row.HasField("definition")),
        ),
        series=_with(kept.series, ((row.id, row) for row in snapshot.series)),
        errors=_with(kept.errors, ((row.id, row) for row in snapshot.errors)),
        exceptions=_with(kept.exceptions, ((row.id, row) for row in snapshot.exceptions)),
        history=_newest(
            _with(kept.history, ((point.start_ms, point) for point in snapshot.history)), MAX_HISTORY_POINTS
        ),
        events=_newest(_with(kept.events, ((event.id, event) for event in snapshot.events)), MAX_EVENTS),
    )


def acknowledge(picture: Picture, generation: int) -> Picture:
    """Returns the picture with the generation that the answer to a command brought ahead of the stream."""
    return replace(picture, generation=max(picture.generation, generation))


def _kept(picture: Picture, snapshot: Snapshot) -> Picture:
    """What of the old picture is still true beside `snapshot`."""
    if not picture.is_known or picture.master_epoch != snapshot.master_epoch:
        return Picture()
    if snapshot.complete:
        return Picture(master_epoch=picture.master_epoch, generation=picture.generation)
    if not snapshot.HasField("run"):
        return picture
    if snapshot.run.run_id != picture.run.run_id:
        return Picture(master_epoch=picture.master_epoch, generation=picture.generation)
    if snapshot.run.stats_epoch != picture.run.stats_epoch:
        return replace(picture, series={}, errors={}, exceptions={}, total=SeriesRow())
    return picture


def _with(rows: Mapping[int, _Row], news: Iterable[tuple[int, _Row]]) -> Mapping[int, _Row]:
    changed = dict(news)
    return {**rows, **changed} if changed else rows


def _newest(rows: Mapping[int, _Row], limit: int) -> Mapping[int, _Row]:
    if len(rows) <= limit:
        return rows
    return {key: rows[key] for key in sorted(rows)[-limit:]}
