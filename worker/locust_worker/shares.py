"""Which runner runs which users: turns the worker's goals into each runner's target.

The deal is made once for an assignment and made again when a runner is given up or comes back: then users
that run stay where they are as far as balance allows, and only the rest moves.

Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from locust_protocol.runner.v1 import link_pb2
from locust_protocol.schedule import Span, UserSchedule, changes, compress, next_due_us, wanted_users
from locust_protocol.v1 import assignment_pb2
from locust_worker.duty import Duty
from locust_worker.split import split_schedules

Deal = list[tuple[UserSchedule, ...]]
"""Each runner's schedules, by slot."""


class UnusableGoal(ValueError):
    """A goal that this worker cannot pursue; the text says why."""


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
        spans = tuple(
            Span(span.first_due_us, span.interval_us, span.count, span.change) for span in goal.users.spans
        )
        schedules.append(UserSchedule(goal.user_class, goal.users.base_users, spans))
    return schedules


class Shares:
    """The present deal."""

    def __init__(self, runners: int) -> None:
        self._runners = runners
        self._goals: list[UserSchedule] = []
        self._alive: tuple[bool, ...] = ()
        self._deal: Deal = [() for _ in range(runners)]
        self._run_id = b""

    def deal(
        self, schedules: list[UserSchedule], *, run_id: bytes, alive: Sequence[bool], now_us: int
    ) -> Deal:
        """Returns each runner's schedules; the same ones for the same goals and runners."""
        if run_id != self._run_id:
            self._run_id, self._goals, self._deal = run_id, [], [() for _ in range(self._runners)]
            self._alive = ()
        if schedules == self._goals and tuple(alive) == self._alive:
            return self._deal
        current = [
            {schedule.user_class: wanted_users(schedule, now_us) for schedule in share}
            for share in self._deal
        ]
        is_running = any(sum(by_class.values()) for by_class in current)
        present = [_from(schedule, now_us) for schedule in schedules] if is_running else schedules
        self._deal = split_schedules(present, self._runners, current=current, alive=alive)
        self._goals, self._alive = list(schedules), tuple(alive)
        return self._deal


def make_target(
    duty: Duty, share: Sequence[UserSchedule], settings: assignment_pb2.RunSettings
) -> link_pb2.Target:
    """Returns what one runner should run."""
    assignment = duty.assignment
    target = link_pb2.Target(
        generation=assignment.generation,
        run_id=assignment.run_id,
        phase=duty.phase,
        goals=[_write_goal(schedule) for schedule in share],
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


def _from(schedule: UserSchedule, now_us: int) -> UserSchedule:
    """Returns the rest of a schedule: what is wanted now, and the changes after that."""
    later = [(due_us, change) for due_us, change in changes(schedule) if due_us > now_us]
    return compress(schedule.user_class, wanted_users(schedule, now_us), later)


def _write_goal(schedule: UserSchedule) -> assignment_pb2.ClassGoal:
    spans = [
        assignment_pb2.Span(
            first_due_us=span.first_due_us,
            interval_us=span.interval_us,
            count=span.count,
            change=span.change,
        )
        for span in schedule.spans
    ]
    return assignment_pb2.ClassGoal(
        user_class=schedule.user_class,
        users=assignment_pb2.UserSchedule(base_users=schedule.base_users, spans=spans),
    )
