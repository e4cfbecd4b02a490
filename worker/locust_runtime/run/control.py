"""Brings this runner to its newest target: begins runs, changes them, ends them.

Targets are only noted when they arrive; one greenlet acts on the newest. So listeners of the locustfile run
one after the other and never twice, and however many targets came while one of them took its time, the
next step starts from what is wanted now.

A run that has ended here, by a target or by its deadline, does not begin again: its id is remembered.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Mapping
from time import monotonic_ns

from gevent.event import Event

from locust_protocol.runner.v1.link_pb2 import FromRunner, Target, TargetApplied
from locust_protocol.schedule import UserSchedule
from locust_protocol.schedule_messages import read_goal
from locust_protocol.v1.assignment_pb2 import ClassGoal, Phase
from locust_protocol.v1.report_pb2 import WorkerState
from locust_runtime.run.link import Link
from locust_runtime.run.recorder import RunRecorder
from locust_runtime.run.reporter import Reporter
from locust_runtime.run.run_environment import RunEnvironment
from locust_runtime.run.schedule import Goals, ScheduleExecutor
from locust_runtime.run.spawner import UserPopulation
from locust_runtime.run.status import StatusBoard
from locust_runtime.users import User

logger = logging.getLogger(__name__)


class TargetRefused(Exception):
    """The target asks for something that this runner does not have; the text says what."""


class Step(enum.Enum):
    """What a target asks for, compared with the run that is on."""

    REST = "rest"
    """Nothing to begin and nothing to end."""
    BEGIN = "begin"
    """A run that is not on."""
    CHANGE = "change"
    """Other goals for the run that is on."""
    END = "end"
    """The end of the run that is on."""


def next_step(target: Target, *, run_id: bytes, ended_run_id: bytes, now_ns: int) -> Step:
    """Decide what to do next; pure. `run_id` is the run that is on, `ended_run_id` the last one that was."""
    deadline_ns = target.run_start_ns + target.deadline_us * 1000
    is_over = target.HasField("deadline_us") and now_ns >= deadline_ns
    is_wanted = target.phase == Phase.PHASE_RUN and bool(target.run_id) and not is_over
    if run_id:
        return Step.CHANGE if is_wanted and target.run_id == run_id else Step.END
    return Step.BEGIN if is_wanted and target.run_id != ended_run_id else Step.REST


class RunControl:
    """Acts on targets in one greenlet."""

    def __init__(
        self,
        *,
        link: Link,
        run: RunEnvironment,
        recorder: RunRecorder,
        reporter: Reporter,
        population: UserPopulation,
        board: StatusBoard,
    ) -> None:
        self._link = link
        self._run_environment = run
        self._recorder = recorder
        self._reporter = reporter
        self._population = population
        self._board = board
        self._executor = ScheduleExecutor(population, on_level=self._note_level)
        self._inbox = Inbox()
        self._run_id = b""
        self._ended_run_id = b""

    def take(self, target: Target) -> None:
        """Note the newest target. Never waits."""
        self._inbox.put(target)

    def fence(self) -> None:
        """End the run that is on: the agent, which would have said so, is not heard of. Never waits."""
        if not self._run_id or self._inbox.newest.phase != Phase.PHASE_RUN:
            return
        logger.warning("nothing is heard of the agent and its lease is over; users are ended")
        end = Target()
        end.CopyFrom(self._inbox.newest)
        end.phase = Phase.PHASE_DRAIN
        self._inbox.put(end)

    def quit(self) -> None:
        """Let `run` return once the run that is on has ended. Never waits."""
        self._inbox.close()

    def run(self) -> None:
        """Acts on targets until `quit`."""
        while True:
            target = self._inbox.wait(timeout_s=self._time_left_s())
            if self._inbox.is_closed:
                if self._run_id:
                    self._end_run()
                return
            self._approach(target)

    def _time_left_s(self) -> float | None:
        """Seconds until the deadline of the run that is on; None when it has none."""
        target = self._inbox.newest
        if not self._run_id or not target.HasField("deadline_us"):
            return None
        left_ns = target.run_start_ns + target.deadline_us * 1000 - monotonic_ns()
        return max(0.0, left_ns / 1e9)

    def _approach(self, target: Target) -> None:
        try:
            while True:
                step = next_step(
                    target, run_id=self._run_id, ended_run_id=self._ended_run_id, now_ns=monotonic_ns()
                )
                if step is not Step.END:
                    break
                self._end_run()
            if step is Step.REST:
                self._note_applied(target.generation)
                return
            goals = self._goals(target)
            if step is Step.BEGIN:
                self._begin_run(target)
            self._change_run(target, goals)
        except TargetRefused as error:
            logger.error("target refused: generation=%d reason=%s", target.generation, error)
            self._board.refuse(target.generation, str(error))

    def _begin_run(self, target: Target) -> None:
        self._run_id = target.run_id
        self._board.state = WorkerState.WORKER_STATE_SPAWNING
        self._recorder.start_run(run_start_ns=target.run_start_ns, stats_epoch=target.stats_epoch)
        self._reporter.start_run(target.run_id)
        self._run_environment.begin(target)
        logger.info("run begins: run=%s generation=%d", target.run_id.hex()[:8], target.generation)

    def _change_run(self, target: Target, goals: Goals) -> None:
        self._recorder.set_start(target.run_start_ns)
        self._recorder.set_epoch(target.stats_epoch)
        if self._run_environment.update(target, goals.schedules):
            self._board.state = WorkerState.WORKER_STATE_SPAWNING
        self._executor.set_goals(goals)

    def _end_run(self) -> None:
        """Stop all users within the stop timeout, then send the final report."""
        self._board.state = WorkerState.WORKER_STATE_STOPPING
        self._run_environment.before_stop(self._population.counts())
        self._executor.halt()
        self._population.stop_all(self._stop_timeout_s())
        self._run_environment.after_stop()
        self._board.state = WorkerState.WORKER_STATE_READY
        self._reporter.finish_run()
        self._recorder.end_run()
        logger.info("run ended: run=%s", self._run_id.hex()[:8])
        self._ended_run_id, self._run_id = self._run_id, b""

    def _stop_timeout_s(self) -> float:
        # The newest target's: who stops a run may have changed it.
        return self._inbox.newest.settings.stop_timeout_ms / 1000

    def _goals(self, target: Target) -> Goals:
        classes = self._run_environment.user_classes
        return Goals(
            generation=target.generation,
            run_start_ns=target.run_start_ns,
            schedules=tuple(_schedule(goal, classes) for goal in target.goals),
        )

    def _note_level(self, goals: Goals, is_complete: bool) -> None:
        """As many users are placed as are wanted now; `is_complete`: and that stays so."""
        self._note_applied(goals.generation)
        if is_complete and self._board.state == WorkerState.WORKER_STATE_SPAWNING:
            self._board.state = WorkerState.WORKER_STATE_RUNNING
            self._run_environment.after_spawning()

    def _note_applied(self, generation: int) -> None:
        if generation != self._board.observed_generation:
            self._board.observed_generation = generation
            self._link.send(FromRunner(target_applied=TargetApplied(generation=generation)))


class Inbox:
    """Holds the newest target and wakes who waits for it."""

    def __init__(self) -> None:
        self.newest = Target()
        self.is_closed = False
        self._changed = Event()

    def put(self, target: Target) -> None:
        self.newest = target
        self._changed.set()

    def close(self) -> None:
        self.is_closed = True
        self._changed.set()

    def wait(self, *, timeout_s: float | None) -> Target:
        """Return the newest target when one has come since the last call, or at the timeout."""
        self._changed.wait(timeout=timeout_s)
        self._changed.clear()
        return self.newest


def _schedule(goal: ClassGoal, classes: Mapping[str, type[User]]) -> tuple[type[User], UserSchedule]:
    user_class = classes.get(goal.user_class)
    if user_class is None:
        raise TargetRefused(f"the locustfile here has no user class {goal.user_class!r}")
    if goal.WhichOneof("goal") == "arrivals":
        raise TargetRefused(f"{goal.user_class}: arrivals are not supported by this release")
    return user_class, read_goal(goal)
