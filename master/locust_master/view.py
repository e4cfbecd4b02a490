"""What clients see: streams of snapshots that tell only what changed, and whole snapshots for a moment.

A stream remembers what its reader has; nothing else here has a state. The newest view replaces all before it,
so a slow reader costs nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from locust_master.cluster import Cluster
from locust_master.conductor import Conductor
from locust_master.merging.history import SHARES
from locust_master.run import Run
from locust_master.snapshot import DEFAULT_MAX_SERIES, DEFAULT_QUANTILES, fill_statistics
from locust_master.summaries import complete_until_ms, run_summary, warnings_now
from locust_protocol.process.errors import UsageError
from locust_protocol.v1 import control_service_pb2, snapshot_pb2

MAX_QUANTILES = 32
"""Percentiles that a reader may ask for."""

HOST_MAX_SERIES = 500
"""Series that the script host is told of each second, the busiest; the rest is in its "(other)"."""

HOST_HISTORY_S = 15
"""Seconds that the script host is told of: the window of its current percentiles, and some."""


Shown = tuple[Run | None, int]
"""A run and the epoch of its statistics."""

PART_MEMBERS = 200
"""Workers whose rows are brought up to date in one go: some 3 ms."""


class ViewStream:
    """Snapshots for one reader."""

    def __init__(
        self, cluster: Cluster, conductor: Conductor, request: control_service_pb2.WatchRequest
    ) -> None:
        """Raises `UsageError` for percentiles that are none, or too many."""
        self._cluster = cluster
        self._conductor = conductor
        self._quantiles = _checked(request.quantiles) or DEFAULT_QUANTILES
        self._max_series = request.max_series or DEFAULT_MAX_SERIES
        self._history_seconds = request.history_seconds
        self._is_first = True
        self._run: Run | None = None
        self._epoch = 0
        self._revision = 0
        self._complete_ms = 0
        self._last_event = 0
        self._described: set[int] = set()

    async def wait_next(self) -> snapshot_pb2.Snapshot:
        """Returns what `next_snapshot` does, made in parts between which others have their turn."""
        async with self._cluster.viewing:
            snapshot = await wait_status_snapshot(self._cluster, self._conductor)
            if snapshot is not None:
                view = self._view(snapshot)
                if await _are_filled((view.run, view.epoch), self._fill(snapshot, view), self._cluster):
                    return self._sent(snapshot, view)
        return self.next_snapshot(now_ns=time.monotonic_ns())

    def next_snapshot(self, *, now_ns: int) -> snapshot_pb2.Snapshot:
        """Returns what changed since the last call; everything at first and when run or epoch are new."""
        snapshot = status_snapshot(self._cluster, self._conductor, now_ns=now_ns)
        view = self._view(snapshot)
        for _ in self._fill(snapshot, view):
            pass
        return self._sent(snapshot, view)

    def _view(self, snapshot: snapshot_pb2.Snapshot) -> _View:
        run, epoch = shown = _shown(self._cluster)
        snapshot.complete = self._is_first or shown != (self._run, self._epoch)
        described = set() if snapshot.complete else set(self._described)
        revision, last_event = (0, 0) if run is None else (run.totals.revision, run.events.last_id)
        return _View(run, epoch, revision, last_event, described)

    def _fill(self, snapshot: snapshot_pb2.Snapshot, view: _View) -> Iterator[None]:
        """Adds statistics and events to what is sent, and yields wherever others may have their turn."""
        if view.run is None:
            return
        is_whole = snapshot.complete
        snapshot.events.extend(view.run.events.after(0 if is_whole else self._last_event))
        yield from fill_statistics(
            snapshot,
            view.run.totals,
            since_revision=None if is_whole else self._revision,
            quantiles=self._quantiles,
            max_series=self._max_series,
            history_seconds=self._history_seconds,
            described=view.described,
            complete_until_ms=snapshot.run.complete_until_ms,
            complete_before_ms=0 if is_whole else self._complete_ms,
        )

    def _sent(self, snapshot: snapshot_pb2.Snapshot, view: _View) -> snapshot_pb2.Snapshot:
        """Notes what the reader has now."""
        self._is_first, self._run, self._epoch = False, view.run, view.epoch
        self._revision, self._last_event = view.revision, view.last_event
        self._complete_ms, self._described = snapshot.run.complete_until_ms, view.described
        return snapshot


@dataclass(frozen=True, slots=True)
class _View:
    """What a snapshot shows: it is noted before the first figure is read, so that nothing is missed."""

    run: Run | None
    epoch: int
    revision: int
    last_event: int
    described: set[int]


async def _are_filled(shown: Shown, parts: Iterator[None], cluster: Cluster) -> bool:
    """Makes statistics part by part; False when they changed meanwhile, and are to be made anew in one go."""
    run, _ = shown
    with nullcontext(_always) if run is None else run.totals.held() as is_unchanged:
        for _ in parts:
            await asyncio.sleep(0)
            if shown != _shown(cluster) or not is_unchanged():
                return False
    return True


def _always() -> bool:
    return True


async def wait_prepared(cluster: Cluster) -> None:
    """Does what is slow of the next snapshot, part by part: others have their turn between.

    A snapshot that nothing was prepared for says the same.
    """
    if cluster.run is not None:
        cluster.run.totals.settle()
        await asyncio.sleep(0)
    until_ms = complete_until_ms(cluster, now_ns=time.monotonic_ns())
    members = cluster.membership.all()
    for first in range(0, len(members), PART_MEMBERS):
        part = members[first : first + PART_MEMBERS]
        cluster.worker_rows.refresh(part, run=cluster.run, complete_until_ms=until_ms)
        await asyncio.sleep(0)


async def wait_status_snapshot(cluster: Cluster, conductor: Conductor) -> snapshot_pb2.Snapshot | None:
    """Returns what `status_snapshot` does, made in parts between which others have their turn.

    With 1,000 workers all of it at once would keep the loop for 30 ms. None when run or epoch changed
    meanwhile.
    """
    await wait_prepared(cluster)
    shown = _shown(cluster)
    snapshot = snapshot_pb2.Snapshot()
    for _ in _fill_status(snapshot, cluster, conductor, now_ns=time.monotonic_ns()):
        await asyncio.sleep(0)
    return snapshot if shown == _shown(cluster) else None


def status_snapshot(cluster: Cluster, conductor: Conductor, *, now_ns: int) -> snapshot_pb2.Snapshot:
    """Returns run, workers and warnings, without statistics and events."""
    snapshot = snapshot_pb2.Snapshot()
    for _ in _fill_status(snapshot, cluster, conductor, now_ns=now_ns):
        pass
    return snapshot


def _fill_status(
    snapshot: snapshot_pb2.Snapshot, cluster: Cluster, conductor: Conductor, *, now_ns: int
) -> Iterator[None]:
    """Fills a snapshot with run, workers and warnings, and yields wherever others may have their turn."""
    # Noted first: what changes from here on is news to the reader.
    snapshot.revision = cluster.revision.value
    snapshot.master_epoch = cluster.master_epoch
    snapshot.generation = cluster.generation
    until_ms = complete_until_ms(cluster, now_ns=now_ns)
    run, members = cluster.run, cluster.membership.all()
    snapshot.run.CopyFrom(run_summary(cluster, conductor, complete_until_ms=until_ms, now_ns=now_ns))
    yield
    for first in range(0, len(members), PART_MEMBERS):
        part = members[first : first + PART_MEMBERS]
        rows = cluster.worker_rows.messages(part, run=run, complete_until_ms=until_ms, now_ns=now_ns)
        snapshot.workers.extend(rows)
        yield
    cluster.worker_rows.forget_all_but(members)
    snapshot.warnings.extend(warnings_now(cluster, conductor))
    yield


async def wait_host_snapshot(cluster: Cluster, conductor: Conductor) -> snapshot_pb2.Snapshot:
    """Returns what `host_snapshot` does, made in parts between which others have their turn."""
    async with cluster.viewing:
        snapshot = await wait_status_snapshot(cluster, conductor)
        if snapshot is not None:
            parts = _fill_all_statistics(snapshot, cluster.run)
            if await _are_filled(_shown(cluster), parts, cluster):
                return snapshot
    return host_snapshot(cluster, conductor, now_ns=time.monotonic_ns())


def host_snapshot(cluster: Cluster, conductor: Conductor, *, now_ns: int) -> snapshot_pb2.Snapshot:
    """Returns everything that `environment.stats` and `environment.runner` of the script host show."""
    snapshot = status_snapshot(cluster, conductor, now_ns=now_ns)
    for _ in _fill_all_statistics(snapshot, cluster.run):
        pass
    return snapshot


def _fill_all_statistics(snapshot: snapshot_pb2.Snapshot, run: Run | None) -> Iterator[None]:
    snapshot.complete = True
    if run is not None:
        yield from fill_statistics(
            snapshot,
            run.totals,
            since_revision=None,
            quantiles=SHARES,
            max_series=HOST_MAX_SERIES,
            history_seconds=HOST_HISTORY_S,
            described=set(),
            complete_until_ms=snapshot.run.complete_until_ms,
        )


def _shown(cluster: Cluster) -> Shown:
    return cluster.run, 0 if cluster.run is None else cluster.run.totals.epoch


def _checked(quantiles: Sequence[float]) -> tuple[float, ...]:
    if len(quantiles) > MAX_QUANTILES:
        raise UsageError(f"{len(quantiles)} percentiles are asked for", remedy=f"ask for {MAX_QUANTILES}")
    for share in quantiles:
        if not 0.0 <= share <= 1.0:
            raise UsageError(f"percentile {share:g} is not between 0 and 1", remedy="0.95 is the 95th")
    return tuple(quantiles)
