"""Executes schedules: at each due time, as many users as are wanted then.

Level-triggered: a step compares what should run now with what runs, and does the difference. So a step
that comes late, a schedule that is replaced half-way, or one that is told twice, all end in the same place.
A user that ended by itself counts as placed and is not replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic_ns
from typing import TYPE_CHECKING

import gevent
from gevent import Greenlet
from gevent.event import Event

from locust_protocol.schedule import UserSchedule, next_due_us, wanted_users
from locust_runtime.run.due_order import missing_in_due_order

if TYPE_CHECKING:
    from locust_runtime.run.spawner import UserPopulation
    from locust_runtime.users import User

MAX_STARTS_PER_STEP = 10
"""Users started before other greenlets get their turn: constructors of users cost up to a few ms each."""

CONSTRUCTOR_GRACE_S = 1.0
"""Seconds that a user's constructor gets to return when the run ends; then it is cut off."""


@dataclass(frozen=True, slots=True)
class Goals:
    """What to run: a schedule for each user class that has users here."""

    generation: int
    run_start_ns: int
    """Run time zero on this machine's monotonic clock."""
    schedules: tuple[tuple[type[User], UserSchedule], ...]

    def run_time_us(self) -> int:
        """The present moment on the run's timeline."""
        return (monotonic_ns() - self.run_start_ns) // 1000


class ScheduleExecutor:
    """Keeps a population at what the newest goals want, in a greenlet of its own.

    `on_level(goals, is_complete)` is called in that greenlet whenever as many users are placed as are
    wanted at the moment; `is_complete` says that no change is left to do. It must not block long.
    """

    def __init__(self, population: UserPopulation, *, on_level: Callable[[Goals, bool], None]) -> None:
        self._population = population
        self._on_level = on_level
        self._goals: Goals | None = None
        self._classes: list[type[User]] = []
        """Classes that had a goal in this run: one that loses its goal is to have no users."""
        self._changed = Event()
        self._is_resting = Event()
        self._greenlet: Greenlet[..., None] = gevent.spawn(self._run)

    def set_goals(self, goals: Goals) -> None:
        """Execute these goals from now on, instead of any before them."""
        self._goals = goals
        known = set(self._classes)
        self._classes += [user_class for user_class, _ in goals.schedules if user_class not in known]
        self._is_resting.clear()
        self._changed.set()

    def halt(self) -> None:
        """Start and stop no more users; returns when no user is being made any more."""
        self._goals = None
        self._classes = []
        self._changed.set()
        if not self._is_resting.wait(timeout=CONSTRUCTOR_GRACE_S):
            self._greenlet.kill()
            self._greenlet = gevent.spawn(self._run)

    def _run(self) -> None:
        while True:
            self._changed.clear()
            goals = self._goals
            if goals is None:
                self._is_resting.set()
                self._changed.wait()
            else:
                looked_us = goals.run_time_us()
                self._stop_surplus(goals, looked_us)
                self._start_missing(goals, looked_us)
                self._rest(goals, looked_us)

    def _stop_surplus(self, goals: Goals, now_us: int) -> None:
        wanted = {user_class: wanted_users(each, now_us) for user_class, each in goals.schedules}
        for user_class in self._classes:
            surplus = self._population.placed_count(user_class) - wanted.get(user_class, 0)
            if surplus > 0:
                self._population.stop_users(user_class, surplus)

    def _start_missing(self, goals: Goals, now_us: int) -> None:
        """Start who is missing, in order of due time, for as long as the goals are the newest."""
        missing = {
            user_class: (schedule, count)
            for user_class, schedule in goals.schedules
            if (count := wanted_users(schedule, now_us) - self._population.placed_count(user_class)) > 0
        }
        classes = list(missing)
        for started, index in enumerate(missing_in_due_order(list(missing.values()), now_us)):
            if started and started % MAX_STARTS_PER_STEP == 0:
                gevent.sleep(0)
            if self._goals is not goals:
                return
            self._population.start_user(classes[index])

    def _rest(self, goals: Goals, looked_us: int) -> None:
        """Wait for the first change after the moment that was looked at: one may be due by now."""
        if self._goals is not goals:
            return
        due_times = [next_due_us(schedule, looked_us) for _, schedule in goals.schedules]
        next_us = min((due_us for due_us in due_times if due_us is not None), default=None)
        self._on_level(goals, next_us is None)
        self._is_resting.set()
        wait_s = None if next_us is None else max(0, next_us - goals.run_time_us()) / 1e6
        self._changed.wait(timeout=wait_s)
        self._is_resting.clear()
