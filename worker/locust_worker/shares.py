"""Which runner runs which users: turns the worker's goals into each runner's target.

The plan is made once for an assignment and made again when a runner is given up or comes back: then users
that run stay where they are as far as balance allows, and only the rest moves. What a runner is told is the
plan less the users that it has lost: these come back at the run's spawn rate. Users that had ended by
themselves count as placed, whatever became of their runner, and do not come back.

Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from locust_protocol.runner.v1 import link_pb2
from locust_protocol.schedule import UserSchedule, next_due_us, wanted_users
from locust_protocol.schedule_messages import read_goal, write_goal
from locust_protocol.v1 import assignment_pb2
from locust_worker.comeback import (
    RESTING,
    Beat,
    come_back,
    gone_schedules,
    gone_users,
    interval_us,
    rest_of,
)
from locust_worker.duty import Duty
from locust_worker.split import Deal, split_schedules


class UnusableGoal(ValueError):
    """A goal that this worker cannot pursue; the text says why."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A runner's place at the deal."""

    has_share: bool = True
    """False when its runner was given up: others take its share."""
    life: int | None = None
    """Names the process that can run users there now; None when there is none yet. A new process has none
    of the users that the one before it had."""


def read_goals(
    goals: Sequence[assignment_pb2.ClassGoal], *, known_classes: Collection[str]
) -> list[UserSchedule]:
    """Returns the schedules of the goals. Raises `UnusableGoal`."""
    schedules = []
    for goal in goals:
        if goal.HasField("arrivals"):
            raise UnusableGoal(f"{goal.user_class}: arrivals are not supported by this version")
        if known_classes and goal.user_class not in known_classes:
            has = ", ".join(sorted(known_classes))
            raise UnusableGoal(f"user class {goal.user_class} is not in the locustfile here; it has {has}")
        schedules.append(read_goal(goal))
    return schedules


class Shares:
    """The present plan, and what runners are told of it."""

    def __init__(self, runners: int) -> None:
        self._runners = runners
        self.plan: Deal = []
        """What each runner should run, were none ever lost."""
        self._told: Deal = []
        self._goals: list[UserSchedule] = []
        self._seats: tuple[Seat, ...] = ()
        self._wish: object = None
        """What the last deal was made for."""
        self._beat = RESTING
        self._forget(b"")

    def deal(
        self,
        schedules: Sequence[UserSchedule],
        *,
        run_id: bytes,
        seats: Sequence[Seat],
        spawn_rate: float,
        now_us: int,
    ) -> Deal:
        """Returns what each runner is told; the same for the same goals and runners.

        Users that goals want more of than before are the master's wish and are dealt as they are due. Users
        that are missing otherwise, as their runner ended or was given up, come back at `spawn_rate` users a
        second from `now_us` on; at 0 at once. A runner without a process is told nothing.
        """
        if run_id != self._run_id:
            self._forget(run_id)
        wish = (list(schedules), tuple(seats), interval_us(spawn_rate))
        if wish == self._wish and not self._fresh_gone:
            return self._told
        before = [_users(share, now_us) for share in self.plan]
        running = [
            _users(share, now_us) if seat.life is not None and seat.life == old.life else {}
            for share, seat, old in zip(self._told, seats, self._seats, strict=True)
        ]
        self._plan(schedules, seats, before, now_us)
        wished = self._wished(schedules, now_us)
        missing = [
            self._missing(share, runs, planned, wished, now_us) if seat.life is not None else {}
            for share, seat, runs, planned in zip(self.plan, seats, running, before, strict=True)
        ]
        gone = self._seat_gone(missing, seats, now_us)
        self._tell(missing, gone, seats, wish[2], now_us)
        self._goals, self._seats, self._wish = wish[0], wish[1], wish
        return self._told

    def note_gone(self, ended: Mapping[str, int]) -> None:
        """A runner died in whose process so many users of each class had ended by themselves."""
        for name, users in ended.items():
            self._fresh_gone[name] = self._fresh_gone.get(name, 0) + users

    def gone_users(self, now_us: int) -> dict[str, int]:
        """Users by class that ended by themselves on runners that are no more: they count as placed."""
        return _added(gone_users(self._gone, now_us), self._fresh_gone)

    def _forget(self, run_id: bytes) -> None:
        self._run_id = run_id
        self.plan = [() for _ in range(self._runners)]
        self._told = [() for _ in range(self._runners)]
        self._goals, self._seats, self._wish = [], (Seat(),) * self._runners, None
        self._beat = RESTING
        self._gone: list[UserSchedule] = []
        self._fresh_gone: dict[str, int] = {}
        """Those that the present deal does not know yet."""

    def _plan(
        self,
        schedules: Sequence[UserSchedule],
        seats: Sequence[Seat],
        before: Sequence[dict[str, int]],
        now_us: int,
    ) -> None:
        have_share = [seat.has_share for seat in seats]
        if list(schedules) == self._goals and have_share == [seat.has_share for seat in self._seats]:
            return
        is_running = any(sum(users.values()) for users in before)
        present = [rest_of(schedule, now_us) for schedule in schedules] if is_running else schedules
        self.plan = split_schedules(present, self._runners, current=before, alive=have_share)

    def _wished(self, schedules: Sequence[UserSchedule], now_us: int) -> dict[str, int]:
        """Returns how many users of each class the goals want now and did not want before."""
        old, new = _users(self._goals, now_us), _users(schedules, now_us)
        return {name: max(0, users - old.get(name, 0)) for name, users in new.items()}

    def _missing(
        self,
        share: Sequence[UserSchedule],
        running: dict[str, int],
        before: dict[str, int],
        wished: dict[str, int],
        now_us: int,
    ) -> dict[str, int]:
        """Returns what a runner lacks by class; takes from `wished` what it is to start at once."""
        missing = {}
        for name, users in _users(share, now_us).items():
            at_once = min(wished.get(name, 0), max(0, users - before.get(name, 0)))
            wished[name] = wished.get(name, 0) - at_once
            if (lacking := users - at_once - running.get(name, 0)) > 0:
                missing[name] = lacking
        return missing

    def _seat_gone(
        self, missing: list[dict[str, int]], seats: Sequence[Seat], now_us: int
    ) -> list[dict[str, int]]:
        """Returns which users of each runner stay away as they are gone; takes them from `missing`.

        Runners without a process come first: users that are on their way back elsewhere need not wait.
        """
        left = self.gone_users(now_us)
        gone: list[dict[str, int]] = [{} for _ in seats]
        for slot in sorted(range(len(seats)), key=lambda slot: seats[slot].life is not None):
            has_process = seats[slot].life is not None
            away = missing[slot] if has_process else _users(self.plan[slot], now_us)
            for name, users in away.items():
                if count := min(users, left.get(name, 0)):
                    gone[slot][name] = count
                    left[name] -= count
        for users_missing, users_gone in zip(missing, gone, strict=True):
            for name in users_missing:
                users_missing[name] -= users_gone.get(name, 0)
        self._gone, self._fresh_gone = gone_schedules(self.plan, gone, now_us), {}
        return gone

    def _tell(
        self,
        missing: list[dict[str, int]],
        gone: list[dict[str, int]],
        seats: Sequence[Seat],
        interval: int,
        now_us: int,
    ) -> None:
        seated: Deal = [
            share if seat.life is not None else () for share, seat in zip(self.plan, seats, strict=True)
        ]
        count = sum(sum(users.values()) for users in missing)
        if count and interval:
            self._beat = Beat(self._beat.next_us(now_us), interval, count)
            self._told = come_back(seated, missing, self._beat, now_us, gone=gone)
        else:
            self._told = come_back(seated, (), RESTING, now_us, gone=gone)


def make_target(
    duty: Duty, share: Sequence[UserSchedule], settings: assignment_pb2.RunSettings
) -> link_pb2.Target:
    """Returns what one runner should run."""
    assignment = duty.assignment
    target = link_pb2.Target(
        generation=assignment.generation,
        run_id=assignment.run_id,
        phase=duty.phase,
        goals=[write_goal(schedule) for schedule in share],
        run_start_ns=duty.run_start_ns if assignment.run_id else 0,
        stats_epoch=assignment.stats_epoch,
        settings=settings,
        cluster=assignment.cluster,
    )
    if assignment.HasField("deadline_us"):
        target.deadline_us = assignment.deadline_us
    return target


def is_under_way(schedules: Sequence[UserSchedule], now_us: int, *, placed: int) -> bool:
    """True while users are still to be started or ended: `placed` run, or ended by themselves."""
    if any(next_due_us(schedule, now_us) is not None for schedule in schedules):
        return True
    return placed != sum(wanted_users(schedule, now_us) for schedule in schedules)


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


def _users(schedules: Sequence[UserSchedule], now_us: int) -> dict[str, int]:
    return {schedule.user_class: wanted_users(schedule, now_us) for schedule in schedules}
