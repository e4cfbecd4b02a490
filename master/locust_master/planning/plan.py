"""A plan: for every worker, how many users of each class it should be running at every moment.

A new plan starts from what the one before has running at that moment, so an edit, a load shape's tick, a
lost worker and a first start are one and the same thing. A plan holds on its own: nobody has to send more
for a ramp to go on.

Pure: it must never know what time it is, nor whether anybody follows the plan.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from locust_master.planning.goal import Goal, TimedGoal
from locust_master.planning.placement import Placement, Step, WorkerCapacity, interval_us
from locust_master.planning.steps import plan_steps, timed_changes
from locust_protocol.schedule import UserSchedule, compress, final_users, last_due_us, wanted_users

__all__ = [
    "Placement",
    "PlacementPlan",
    "PlanBasis",
    "Step",
    "WorkerCapacity",
    "end_us",
    "make_plan",
    "next_start_us",
    "plan_of",
    "plan_steps",
    "planned_placement",
    "planned_users",
]


@dataclass(frozen=True, slots=True)
class PlacementPlan:
    """All workers' schedules from `start_us` on (µs on the run's timeline).

    Every worker that the plan was made for is in `by_worker`, without schedules when it is to run nothing.
    `total_target` is the number of users in the end: the goal's, or fewer when only classes of a fixed
    count are left or no worker has a runner.
    """

    start_us: int
    by_worker: Mapping[str, tuple[UserSchedule, ...]]
    total_target: int


@dataclass(frozen=True, slots=True)
class PlanBasis:
    """All that a plan follows from: equal bases give equal plans, so whoever keeps the basis keeps the plan.

    `goal` holds from `start_us` on; each of `later`, in order of time, from its own moment on.
    """

    start_us: int
    current: Placement
    goal: Goal
    workers: tuple[WorkerCapacity, ...]
    later: tuple[TimedGoal, ...] = ()


def plan_of(basis: PlanBasis) -> PlacementPlan:
    """Return the plan that follows from `basis`. Raises ValueError as `make_plan`."""
    return make_plan(current=basis.current, goal=basis.goal, workers=basis.workers, start_us=basis.start_us)


def make_plan(
    *, current: Placement, goal: Goal, workers: Sequence[WorkerCapacity], start_us: int
) -> PlacementPlan:
    """Return the plan from `current` to `goal`; see `plan_steps` for the order and the times.

    Raises ValueError for a spawn rate that is not above 0.
    """
    # Keyed by worker, then class, the classes in the goal's order: equal input gives equal messages.
    timed: dict[str, dict[str, list[tuple[int, int]]]] = {worker.worker: {} for worker in workers}
    rows = timed_changes(current=current, goal=goal, workers=workers, start_us=start_us)
    for due_us, worker, user_class, change in rows:
        timed[worker].setdefault(user_class, []).append((due_us, change))
    goal_order = {share.name: None for share in goal.classes}
    by_worker: dict[str, tuple[UserSchedule, ...]] = {}
    for worker, by_class in timed.items():
        base = current.get(worker, {})
        by_worker[worker] = tuple(
            compress(name, base.get(name, 0), by_class.get(name, ()))
            for name in goal_order | dict.fromkeys(base)
            if base.get(name, 0) > 0 or name in by_class
        )
    total = sum(final_users(schedule) for schedules in by_worker.values() for schedule in schedules)
    return PlacementPlan(start_us=start_us, by_worker=by_worker, total_target=total)


def planned_placement(plan: PlacementPlan, at_us: int) -> Placement:
    """Return who should be running what at `at_us`; every worker of the plan, no class without users."""
    return {
        worker: {
            schedule.user_class: users
            for schedule in schedules
            if (users := wanted_users(schedule, at_us)) > 0
        }
        for worker, schedules in plan.by_worker.items()
    }


def planned_users(plan: PlacementPlan, at_us: int) -> int:
    """Return how many users should be running in all at `at_us`."""
    return sum(
        wanted_users(schedule, at_us) for schedules in plan.by_worker.values() for schedule in schedules
    )


def end_us(plan: PlacementPlan) -> int:
    """Return when the last step is due; the plan's start when there is none."""
    return max(_last_dues(plan), default=plan.start_us)


def next_start_us(plan: PlacementPlan, *, at_us: int, spawn_rate: float) -> int:
    """Return the earliest start, at `at_us` or later, of a plan that replaces this one at `at_us`.

    It keeps `spawn_rate` across the change: a plan's first step is due at its start, so plans that follow
    each other faster than the rate would otherwise each begin with a user of their own.
    """
    done = [
        due_us
        for schedules in plan.by_worker.values()
        for schedule in schedules
        if (due_us := last_due_us(schedule, at_us)) is not None
    ]
    # A plan of which nothing is done yet may itself have waited for its start because of the rate.
    return max(at_us, max(done) + interval_us(spawn_rate) if done else plan.start_us)


def _last_dues(plan: PlacementPlan) -> list[int]:
    return [
        span.first_due_us + (span.count - 1) * span.interval_us
        for schedules in plan.by_worker.values()
        for schedule in schedules
        for span in schedule.spans
    ]
