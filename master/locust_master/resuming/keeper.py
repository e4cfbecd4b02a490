"""Keeps the store's facts about the present run fresh, so that another life of the master could take it up.

Plans are handed in before anybody follows them, losses with the report that tells them, a stop before any
worker hears of it; everything else within a tenth of a second. Whoever asks for a change is answered when the
store has it, however long the disk takes: what was answered is never taken back. Once a second something is
written in any case: its age tells how long a master has been away.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from locust_master.cluster import Cluster
from locust_master.lifecycle import RunState
from locust_master.losses import Loss
from locust_master.membership import Member
from locust_master.merging.seconds import SECOND_MS
from locust_master.planning.plan import PlanBasis
from locust_master.run import Run
from locust_master.store.facts import Facts, Progress, SecondUsers, StoredMember
from locust_master.store.writer import RunWriter
from locust_protocol.v1 import master_service_pb2

logger = logging.getLogger(__name__)

LOOK_S = 0.1
"""Seconds between two looks for changes."""

BEAT_S = 1.0
"""Seconds between two writes at most: a fraction of the shortest --resume-within that makes sense."""

STORE_PATIENCE_S = 1.0
"""Seconds that a stop waits for the disk before users end: a slow disk must not keep load up. Whoever asked
for it, or for anything else, is answered when it is written; after so long a line in the log says why not."""


@dataclass(frozen=True, slots=True)
class _Stop:
    timeout_ms: int
    requested_us: int


class RunKeeper:
    """Writes what changes about the present run."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._run: Run | None = None
        self._writer: RunWriter | None = None
        self._seen = _Seen()
        self._stop: _Stop | None = None
        self._epoch = 0

    def follow(self, run: Run, writer: RunWriter) -> None:
        """Keeps `run` from now on, in the store of `writer`."""
        self._run, self._writer, self._seen = run, writer, _Seen()
        self._seen.users_through_ms = run.now_us(time.monotonic_ns()) // 1_000
        self._stop, self._epoch = None, 0
        run.events.on_added = writer.add_event
        run.on_planned = self._keep_plan

    async def run(self) -> None:
        """Looks for changes for as long as the master lives."""
        while True:
            self.look(time.monotonic())
            await asyncio.sleep(LOOK_S)

    def look(self, now_s: float) -> None:
        """Writes what has changed since the last look, and once a second in any case."""
        facts = self._changes(now_s)
        if facts is not None and self._writer is not None:
            self._writer.add_facts(facts)

    def look_at_losses(self) -> None:
        """Writes losses that are new: what came with a report must be there when the report is."""
        run = self._run
        if run is not None and run.stopped_us is None and self._seen.losses_changed(run.losses):
            self.look(time.monotonic())

    async def wait_kept(self) -> None:
        """Waits until all that is true of the run now is in the store, or cannot be."""
        run = self._run
        if run is not None and run.stopped_us is None and not await self._is_kept_soon(run):
            await self._wait(run)

    async def wait_stop_kept(self, run: Run, *, stop_timeout_ms: int) -> None:
        """Waits until the store says that `run` is stopping, for `STORE_PATIENCE_S` at most."""
        self._stop = _Stop(stop_timeout_ms, run.now_us(time.monotonic_ns()))
        await self._is_kept_soon(run)

    async def wait_epoch_kept(self, run: Run, stats_epoch: int) -> None:
        """Waits until the store knows an epoch that workers are to hear of.

        A report of an epoch that a master has never heard of would be no report to it.
        """
        self._epoch = stats_epoch
        if not await self._is_kept_soon(run):
            await self._wait(run)

    def _progress(self, run: Run) -> Progress:
        """How far the run is; what was promised counts as done, until it is."""
        progress = _progress(run, self._cluster)
        if self._stop is not None and run.lifecycle.is_active:
            progress = replace(
                progress,
                state=RunState.STOPPING,
                stop_timeout_ms=self._stop.timeout_ms,
                stop_requested_us=self._stop.requested_us,
            )
        return replace(progress, stats_epoch=max(progress.stats_epoch, self._epoch))

    async def _is_kept_soon(self, run: Run) -> bool:
        try:
            async with asyncio.timeout(STORE_PATIENCE_S):
                await self._wait(run)
        except TimeoutError:
            logger.warning(
                "the run store is slow: a change is not written yet, and not answered before it is"
            )
            return False
        return True

    async def _wait(self, run: Run) -> None:
        assert self._writer is not None, "a run is followed from its start"
        progress = self._progress(run)
        facts = self._changes(time.monotonic()) or Facts(progress=progress)
        await self._writer.wait_facts(replace(facts, progress=progress))

    def _keep_plan(self, basis: PlanBasis, done: Callable[[], None]) -> None:
        if self._run is not None and self._writer is not None:
            self._writer.add_facts(Facts(progress=self._progress(self._run), plan=basis), done)
        else:
            done()

    def _changes(self, now_s: float) -> Facts | None:
        run = self._run
        if run is None or run is not self._cluster.run or run.stopped_us is not None:
            return None
        members = self._cluster.membership.all()
        facts = Facts(
            progress=self._progress(run),
            members=_stored_members(members) if self._seen.members_changed(members) else None,
            losses=tuple(run.losses) if self._seen.losses_changed(run.losses) else None,
        )
        is_due = now_s - self._seen.beat_s >= BEAT_S
        if not is_due and facts == Facts(progress=self._seen.progress or facts.progress):
            return None
        users = _users_since(run, self._seen.users_through_ms) if is_due else ()
        if is_due:
            self._seen.beat_s = now_s
            self._seen.users_through_ms = run.now_us(time.monotonic_ns()) // 1_000
        self._seen.note(facts.progress, members, run.losses)
        return replace(facts, users=users)


class _Seen:
    """What was written of the run before."""

    def __init__(self) -> None:
        self.beat_s = 0.0
        self.users_through_ms = 0
        self.progress: Progress | None = None
        self._sessions: tuple[tuple[int, bool], ...] = ()
        self._losses: Sequence[Loss] = ()
        self._loss_count = 0

    def members_changed(self, members: Sequence[Member]) -> bool:
        return _sessions(members) != self._sessions

    def losses_changed(self, losses: Sequence[Loss]) -> bool:
        """The list grows or is replaced; this is asked for every report, so nothing is compared."""
        return losses is not self._losses or len(losses) != self._loss_count

    def note(self, progress: Progress, members: Sequence[Member], losses: Sequence[Loss]) -> None:
        self.progress = progress
        self._sessions = _sessions(members)
        self._losses, self._loss_count = losses, len(losses)


def _progress(run: Run, cluster: Cluster) -> Progress:
    return Progress(
        start_ns=run.record.start_ns,
        generation=cluster.generation,
        session_id=cluster.membership.newest_session_id,
        state=run.lifecycle.state,
        stats_epoch=run.stats_epoch,
        deadline_us=run.deadline_us,
        stop_timeout_ms=run.stop_timeout_ms,
        stop_requested_us=run.stop_requested_us,
        last_actor=run.last_actor,
    )


def _sessions(members: Sequence[Member]) -> tuple[tuple[int, bool], ...]:
    """Says who is here: a member that registers again has another session."""
    return tuple((member.session_id, member.is_live) for member in members if not member.has_left)


def _stored_members(members: Sequence[Member]) -> tuple[StoredMember, ...]:
    return tuple(
        StoredMember(
            uid=member.uid,
            is_live=member.is_live,
            name=member.name,
            address=member.address,
            runner_indices=member.runner_indices,
            request=_request_to_keep(member.request),
        )
        for member in members
        if not member.has_left
    )


def _request_to_keep(request: master_service_pb2.RegisterRequest) -> master_service_pb2.RegisterRequest:
    kept = master_service_pb2.RegisterRequest()
    kept.CopyFrom(request)
    for name in ("progress", "resume_token", "own_manifest"):
        kept.ClearField(name)
    return kept


def _users_since(run: Run, first_ms: int) -> tuple[SecondUsers, ...]:
    """Users of the seconds from `first_ms` on; the one before may have changed since."""
    first_ms = first_ms - first_ms % SECOND_MS - SECOND_MS
    found = run.totals.history.between(max(0, first_ms), run.totals.newest_end_ms + 2 * SECOND_MS)
    return tuple(SecondUsers(each.number, each.users, each.planned_users) for each in found)
