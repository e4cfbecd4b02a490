"""A plan: for every worker, how many users of each class it should be running at every moment.

A new plan starts from what the one before has running at that moment, so an edit, a load shape's tick, a
lost worker and a first start are one and the same thing. A plan holds on its own: nobody has to send more
for a ramp to go on. It may have several goals, each from its own moment on.

A plan is a rule, and what it says is worked out when asked: how many users run at a moment, and when it
ends, by formula; who runs what by counting the users up to then; a worker's schedules once for each worker.

Pure: it must never know what time it is, nor whether anybody follows the plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from locust_master.planning.goal import Goal, TimedGoal
from locust_master.planning.pace import Pace
from locust_master.planning.placement import Placement, Step, WorkerCapacity
from locust_master.planning.schedules import Leg, Schedules
from locust_master.planning.way import Way, way_from, way_on
from locust_protocol.schedule import UserSchedule

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
    "planned_placement",
    "planned_users",
    "steps",
]


@dataclass(frozen=True, slots=True)
class PlacementPlan:
    """All workers' schedules from `start_us` on (µs on the run's timeline).

    Every worker that the plan was made for is in `by_worker`, without schedules when it is to run nothing.
    `total_target` is the number of users in the end: the last goal's, or fewer when only classes of a fixed
    count are left or no worker has a runner. Each of `legs` leads to a goal, or as near as it comes before
    the next one.
    """

    start_us: int
    by_worker: Mapping[str, tuple[UserSchedule, ...]]
    total_target: int
    legs: tuple[Leg, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanBasis:
    """All that a plan follows from: equal bases give equal plans, so whoever keeps the basis keeps the plan.

    `goal` holds from `start_us` on; each of `later`, in order of time, from its own moment on. While it
    `is_held` only its stops are followed; the plan is the same.
    """

    start_us: int
    current: Placement
    goal: Goal
    workers: tuple[WorkerCapacity, ...]
    later: tuple[TimedGoal, ...] = ()
    is_held: bool = False


def plan_of(basis: PlanBasis) -> PlacementPlan:
    """Return the plan that follows from `basis`. Raises ValueError as `make_plan`."""
    return make_plan(
        current=basis.current,
        goal=basis.goal,
        workers=basis.workers,
        start_us=basis.start_us,
        later=basis.later,
    )


def make_plan(
    *,
    current: Placement,
    goal: Goal,
    workers: Sequence[WorkerCapacity],
    start_us: int,
    later: Sequence[TimedGoal] = (),
) -> PlacementPlan:
    """Return the plan from `current` to `goal`, and on to each of `later` (ascending) from its moment.

    The k-th turn is due at start_us + k / spawn_rate. Users that `current` has on a worker which is not
    among `workers` are gone, and are what is missing. A goal that is not reached when the next begins is left
    there: the next goes on from what is planned at that moment, as a plan made then would, and keeps its
    spawn rate across it. Raises ValueError for a spawn rate that is not a finite number above 0.
    """
    legs = [_leg(goal, start_us, way_from(current, goal=goal, workers=workers))]
    for timed in later:
        legs[-1] = replace(legs[-1], turns=legs[-1].turns_until(timed.from_us))
        next_us = _next_start_us(legs, at_us=timed.from_us, pace=Pace(timed.goal.spawn_rate))
        way = way_on(legs[-1].way, turns=legs[-1].turns, goal=timed.goal, workers=workers)
        legs.append(_leg(timed.goal, next_us, way))
    goals = [goal, *(timed.goal for timed in later)]
    names = dict.fromkeys(share.name for each in goals for share in each.classes)
    return PlacementPlan(
        start_us=start_us,
        by_worker=Schedules(legs, tuple(names)),
        total_target=legs[-1].users_after(legs[-1].turns),
        legs=tuple(legs),
    )


def planned_placement(plan: PlacementPlan, at_us: int) -> Placement:
    """Return who should be running what at `at_us`; every worker of the plan, no class without users."""
    leg = _leg_at(plan.legs, at_us)
    return leg.placement(at_us) if leg is not None else {}


def planned_users(plan: PlacementPlan, at_us: int) -> int:
    """Return how many users should be running in all at `at_us`."""
    leg = _leg_at(plan.legs, at_us)
    return leg.users_after(leg.turns_until(at_us)) if leg is not None else 0


def end_us(plan: PlacementPlan) -> int:
    """Return when the last step is due; the plan's start when there is none."""
    return max((leg.due_us(leg.turns - 1) for leg in plan.legs if leg.turns), default=plan.start_us)


def next_start_us(plan: PlacementPlan, *, at_us: int, spawn_rate: float) -> int:
    """Return the earliest start, at `at_us` or later, of a plan that replaces this one at `at_us`.

    It keeps `spawn_rate` across the change: a plan's first step is due at its start, so plans that follow
    each other faster than the rate would otherwise each begin with a user of their own.
    """
    if not plan.legs:
        return max(at_us, plan.start_us)
    return _next_start_us(plan.legs, at_us=at_us, pace=Pace(spawn_rate))


def steps(plan: PlacementPlan) -> Iterator[Step]:
    """Yield every single change of the plan in order: by due time, and a turn's stop before its start."""
    for leg in plan.legs:
        yield from leg.steps()


def _leg(goal: Goal, start_us: int, way: Way) -> Leg:
    turns = max(way.stop_count, way.start_count)
    return Leg(start_us=start_us, pace=Pace(goal.spawn_rate), way=way, turns=turns)


def _leg_at(legs: Sequence[Leg], at_us: int) -> Leg | None:
    """The leg under way at a moment; all before it are done, none after it has begun."""
    begun = [leg for leg in legs if leg.start_us <= at_us]
    return begun[-1] if begun else next(iter(legs), None)


def _next_start_us(legs: Sequence[Leg], *, at_us: int, pace: Pace) -> int:
    for leg in reversed(legs):
        if done := leg.turns_until(at_us):
            return max(at_us, leg.due_us(done - 1) + pace.interval_us)
    # A plan of which nothing is done yet may itself have waited for its start because of the rate.
    return max(at_us, legs[0].start_us)
