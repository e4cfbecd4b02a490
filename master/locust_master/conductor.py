"""Conducts runs: start, edit, stop, reset, end, in the order that Locust's listeners expect.

Wishes come from the control service, from headless mode, from a load shape and from user code; one lock lets
one of them act at a time. Decisions stand in the pure parts; here is only the order of waiting.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from locust_master.cluster import Cluster, Happening
from locust_master.interpreter import collect_all
from locust_master.lifecycle import RunState, RunTrigger
from locust_master.locustfile import Locustfile
from locust_master.new_run import make_run
from locust_master.planning.goal import Goal, goal_text
from locust_master.preparation import wait_observed, wait_prepared
from locust_master.refusals import Refused
from locust_master.resuming.keeper import RunKeeper
from locust_master.run import Run, edited_goal
from locust_master.run_clock import RunClock
from locust_master.run_options import RunOptions, check_spawn_rate, check_users
from locust_master.run_watch import NO_WORKER_LIMIT_S
from locust_master.settings import MasterSettings
from locust_master.start_checks import class_shares, shape_notices, stages_notices
from locust_master.store.writer import RunWriter
from locust_protocol.runner.v1 import link_pb2
from locust_protocol.v1 import snapshot_pb2

logger = logging.getLogger(__name__)

START_LEAD_NS = 200_000_000
"""Nanoseconds from a start to run time zero: assignments arrive before the first user is due."""


RESET_TIMEOUT_S = 4.0
"""Seconds that workers get to say that they count for the new epoch: a report interval, and some."""


@dataclass(frozen=True, slots=True)
class ShapeGoal:
    """What a load shape wants."""

    users: int
    spawn_rate: float
    user_classes: tuple[str, ...]


class Conductor:
    """The only one who starts, changes and ends runs."""

    def __init__(self, settings: MasterSettings, cluster: Cluster, locustfile: Locustfile) -> None:
        self._settings = settings
        self._cluster = cluster
        self._lock = asyncio.Lock()
        self._resetting = asyncio.Lock()
        self.locustfile = locustfile
        self.writer: RunWriter | None = None
        self.process_exit_code: int | None = None
        self.before_moment: Callable[[], None] = _nothing
        self.run_ended = asyncio.Event()
        self.keeper = RunKeeper(cluster)

    @property
    def settings(self) -> MasterSettings:
        """Settings of the master."""
        return self._settings

    # ── wishes ───────────────────────────────────────────────────────────────────────────────────────────

    async def start(self, options: RunOptions, *, actor: str) -> Run:
        """Starts a run. Raises `Refused` or `UsageError` with what is missing."""
        async with self._lock:
            await self._finish_ended()
            if self._cluster.state not in (RunState.READY, RunState.STOPPED):
                raise Refused(
                    f"a run is {self._cluster.state.value}",
                    remedy="stop it, or edit its users and spawn rate",
                )
            await self.locustfile.reload_if_edited()
            run = make_run(self._settings, self.locustfile, options)
            for notice in self._notices(run):
                logger.warning("%s", notice)
            await wait_prepared(self._cluster)
            collect_all()
            run.last_actor = actor
            await self._moment(run, link_pb2.RUN_MOMENT_STARTING)
            run.record.start_ns = time.monotonic_ns() + START_LEAD_NS
            run.record.started_wall_ms = (time.time_ns() + START_LEAD_NS) // 1_000_000
            # Only now: the record is complete, and no late report of the run before comes any more.
            before, self.writer = self.writer, RunWriter.create(self._settings.run_dir, run.record)
            self.keeper.follow(run, self.writer)
            self.run_ended.clear()
            self._cluster.begin(run)
            self._note(run, snapshot_pb2.RUN_EVENT_KIND_STARTED, goal_text(run.goal), actor)
            logger.info("run started run=%s %s", run.record.run_id.hex()[:8], goal_text(run.goal))
            if before is not None:
                await before.close()
        await self.keeper.wait_kept()
        return run

    def adopt(self, run: Run, writer: RunWriter) -> None:
        """Goes on with a run of an earlier life of the master; the cluster is to resume it next."""
        self.writer = writer
        self.keeper.follow(run, writer)

    async def greet_adopted(self) -> None:
        """Runs the test_start listeners of a run that was adopted: this script host has not seen its start.

        It sees one whenever it takes part, as the runners of a worker that joins late do.
        """
        async with self._lock:
            run = self._cluster.run
            if run is not None and run.lifecycle.is_active:
                await self._moment(run, link_pb2.RUN_MOMENT_STARTING)

    async def start_from_locustfile(
        self, *, users: int, spawn_rate: float, user_classes: tuple[str, ...]
    ) -> Run:
        """Starts a run with what user code says, and for the rest with what the command line says."""
        options = replace(
            self._settings.options,
            users=users,
            spawn_rate=spawn_rate,
            user_classes=user_classes or self._settings.options.user_classes,
        )
        return await self.start(options.checked(), actor="locustfile")

    async def edit(self, *, users: int | None, spawn_rate: float | None, actor: str) -> Run:
        """Moves the goal of the run. Raises `Refused` when none goes on."""
        async with self._lock:
            run = self._active_run()
            if run.record.load_shape:
                raise Refused(
                    f"load shape {run.record.load_shape} sets the users", remedy="start without a load shape"
                )
            if run.record.options.stages or run.record.options.step_load is not None:
                raise Refused("stages set the users", remedy="start without --stages or --step-load")
            if users is not None:
                check_users(users)
            if spawn_rate is not None:
                check_spawn_rate(spawn_rate)
            goal = edited_goal(run.goal, users=users, spawn_rate=spawn_rate)
            run.last_actor = actor
            self._cluster.set_goal(goal, time.monotonic_ns())
            self._note(run, snapshot_pb2.RUN_EVENT_KIND_EDITED, goal_text(goal), actor)
            logger.info("run edited %s actor=%s", goal_text(goal), actor)
        await self.keeper.wait_kept()
        return run

    async def stop(self, *, actor: str, stop_timeout_ms: int | None = None) -> Run:
        """Asks the run's users to end; `run_ended` is set when the last report is here."""
        async with self._lock:
            run = await self._stop(self._active_run(), actor=actor, stop_timeout_ms=stop_timeout_ms)
        await self.keeper.wait_kept()
        return run

    async def stop_if_active(self, *, actor: str) -> None:
        """Asks the run's users to end, unless somebody did so before."""
        async with self._lock:
            run = self._cluster.run
            if run is not None and run.lifecycle.is_active:
                await self._stop(run, actor=actor, stop_timeout_ms=None)

    async def _stop(self, run: Run, *, actor: str, stop_timeout_ms: int | None) -> Run:
        timeout_ms = run.stop_timeout_ms if stop_timeout_ms is None else stop_timeout_ms
        run.last_actor = actor
        await self._moment(run, link_pb2.RUN_MOMENT_STOPPING)
        # Written first: a master that dies here must not start again what was asked to stop.
        await self.keeper.wait_stop_kept(run, stop_timeout_ms=timeout_ms)
        self._cluster.drain(time.monotonic_ns(), stop_timeout_ms=timeout_ms)
        self._note(run, snapshot_pb2.RUN_EVENT_KIND_STOPPING, "stop asked for", actor)
        logger.info("run stopping actor=%s", actor)
        return run

    async def reset_statistics(self, *, actor: str) -> Run:
        """Starts a new epoch of statistics. Raises `Refused` without a run.

        Returns when every worker counts for the new epoch: what is recorded after that counts, what was
        recorded before the call does not. A worker that does not answer is not waited for any longer than
        `RESET_TIMEOUT_S`.
        """
        run, generation = await self._reset_statistics(actor)
        if run.lifecycle.is_active and not await wait_observed(
            self._cluster, generation, timeout_s=RESET_TIMEOUT_S
        ):
            logger.warning("not every worker counts anew yet: samples of some seconds may be dropped")
        return run

    async def _reset_statistics(self, actor: str) -> tuple[Run, int]:
        """Returns the run and the generation in which workers are told; by then the store knows the epoch.

        Nothing else waits for that: a disk that stalls must not keep a run from being stopped.
        """
        async with self._resetting:
            run = self._cluster.run
            if run is None:
                raise Refused("there is no run whose statistics could be reset", remedy="start one")
            await self.keeper.wait_epoch_kept(run, run.stats_epoch + 1)
            async with self._lock:
                if run is not self._cluster.run:
                    raise Refused(
                        "the run has ended meanwhile", remedy="reset the statistics of the next one"
                    )
                self._cluster.reset_statistics()
                generation = self._cluster.generation
                self._note(run, snapshot_pb2.RUN_EVENT_KIND_RESET, "statistics reset", actor)
                self.keeper.look(time.monotonic())
                await self._moment(run, link_pb2.RUN_MOMENT_RESET)
        return run, generation

    def mark(self, text: str, *, actor: str) -> Run:
        """Puts a mark on the run's timeline. Raises `Refused` without a run."""
        if self._cluster.run is None:
            raise Refused("there is no run to mark", remedy="start one")
        self._note(self._cluster.run, snapshot_pb2.RUN_EVENT_KIND_MARK, text, actor)
        self._cluster.revision.bump()
        return self._cluster.run

    async def follow_shape(self, wanted: ShapeGoal) -> None:
        """Moves the goal as a load shape says, when that is a change. Raises `UsageError`."""
        async with self._lock:
            run = self._cluster.run
            if run is None or not run.lifecycle.is_active:
                return
            check_users(wanted.users)
            check_spawn_rate(wanted.spawn_rate)
            names = wanted.user_classes or run.record.options.user_classes
            classes = class_shares(self.locustfile.manifest, names)
            goal = Goal(wanted.users, wanted.spawn_rate, classes)
            if goal != run.goal:
                self._cluster.set_goal(goal, time.monotonic_ns())
                self._note(run, snapshot_pb2.RUN_EVENT_KIND_STAGE, goal_text(goal), "")

    # ── time ─────────────────────────────────────────────────────────────────────────────────────────────

    async def run_clock(self) -> None:
        """Acts on what the passing of time brings, for as long as the master lives."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.keeper.run(), name="keeper")
            await RunClock(self._cluster, self._act).run()

    async def _act(self, happening: Happening, run: Run) -> None:
        is_first_time = False
        async with self._lock:
            if run is not self._cluster.run:
                return
            if happening is Happening.GOAL_REACHED and run.lifecycle.state is RunState.RUNNING:
                is_first_time = await self._goal_reached(run)
            elif happening is Happening.DEADLINE and run.lifecycle.is_active:
                ends_by_stages = run.record.options.run_time_s is None
                actor = "end of the stages" if ends_by_stages else "run time"
                await self._stop(run, actor=actor, stop_timeout_ms=None)
            elif happening is Happening.LOST_TOO_MUCH and run.lifecycle.is_active:
                await self._stop(run, actor="--on-worker-loss fail", stop_timeout_ms=None)
            elif happening is Happening.ABANDONED and run.lifecycle.is_active and self._settings.headless:
                logger.error("the run ends: no worker came for %.0f s", NO_WORKER_LIMIT_S)
                await self._stop(run, actor="no worker", stop_timeout_ms=None)
            elif happening is Happening.DRAINED:
                await self._finish_ended()
        if is_first_time and self._settings.reset_stats:
            with suppress(Refused):  # it ended while the disk was waited for
                await self._reset_statistics("--reset-stats")

    async def _goal_reached(self, run: Run) -> bool:
        """Says that all users are spawned; True when that is so for the first time in the run."""
        users = run.planned_users(run.now_us(time.monotonic_ns()))
        is_first = not any(e.kind == snapshot_pb2.RUN_EVENT_KIND_SPAWNED for e in run.events.events)
        self._note(run, snapshot_pb2.RUN_EVENT_KIND_SPAWNED, f"all {users} users spawned", "")
        logger.info("all users spawned users=%d", users)
        await self._moment(run, link_pb2.RUN_MOMENT_SPAWNED)
        return is_first

    async def _finish_ended(self) -> None:
        """Does what follows the end of the present run, once; nothing when there is none or it goes on."""
        run = self._cluster.run
        if run is None or run.stopped_us is None or self.run_ended.is_set():
            return
        self._note(run, snapshot_pb2.RUN_EVENT_KIND_STOPPED, "all users ended", "")
        await self._moment(run, link_pb2.RUN_MOMENT_STOPPED)
        logger.info("run stopped run=%s", run.record.run_id.hex()[:8])
        if self.writer is not None:
            await self.writer.finish(run)
        self.run_ended.set()
        self._cluster.revision.bump()

    async def close(self) -> None:
        """Writes out what the store still holds in memory; no run may be started after it."""
        if self.writer is not None:
            await self.writer.close()

    def _notices(self, run: Run) -> list[str]:
        manifest, options, given = self.locustfile.manifest, run.record.options, self._settings.given
        if options.stages or options.step_load is not None:
            return stages_notices(manifest, takes_all=bool(options.stages), given=given)
        is_named = options.load_shape is not None
        return shape_notices(manifest, run.record.load_shape, is_named=is_named, given=given)

    # ── parts ────────────────────────────────────────────────────────────────────────────────────────────

    def _active_run(self) -> Run:
        run = self._cluster.run
        if run is None or not run.lifecycle.may(RunTrigger.STOP):
            raise Refused(f"no run goes on (state {self._cluster.state.value})", remedy="start one")
        return run

    async def _moment(self, run: Run, moment: link_pb2.RunMoment.ValueType) -> None:
        self.before_moment()
        done = await self.locustfile.host.run_moment(
            link_pb2.RunPhase(
                moment=moment,
                run_id=run.record.run_id,
                users=run.goal.users,
                spawn_rate=run.goal.spawn_rate,
                settings=run.record.settings,
                load_shape=run.record.load_shape,
            )
        )
        if done.HasField("process_exit_code"):
            self.process_exit_code = done.process_exit_code

    def _note(self, run: Run, kind: snapshot_pb2.RunEventKind.ValueType, text: str, actor: str) -> None:
        run.events.add(kind, text, at_ms=run.now_us(time.monotonic_ns()) // 1_000, actor=actor)


def _nothing() -> None:
    """Stands in until somebody wants to be called before listeners run."""
