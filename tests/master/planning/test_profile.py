"""Stages and steps as goals over time, and a plan that follows several goals."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locust_master.planning.deal import deal_of
from locust_master.planning.goal import ClassShare, TimedGoal
from locust_master.planning.plan import (
    PlanBasis,
    WorkerCapacity,
    end_us,
    make_plan,
    next_start_us,
    plan_of,
    planned_placement,
    planned_users,
    steps,
)
from locust_master.planning.profile import goals_from, profile_end_us, stages_profile, step_profile
from locust_protocol.schedule import changes

from .builders import MIXED_WORKERS, USERS, class_shares, fleet, goal_of

A = (ClassShare("A", 1),)
S = 1_000_000


def users_at(profile: tuple[TimedGoal, ...], at_us: int) -> int:
    basis = PlanBasis(profile[0].from_us, {}, profile[0].goal, fleet([1, 1]), profile[1:])
    return planned_users(plan_of(basis), at_us)


@pytest.mark.parametrize(
    ("at_us", "users"),
    [(0, 1), (30 * S - 1, 50), (60 * S - 1, 100), (90 * S, 100), (120 * S, 99), (150 * S - 1, 0)],
)
def test_stages_are_linear_between_their_ends(at_us: int, users: int) -> None:
    """60 s up to 100, 60 s there, 30 s down."""
    assert users_at(stages_profile([(60 * S, 100), (60 * S, 100), (30 * S, 0)], A), at_us) == users


def test_stage_of_no_duration_jumps() -> None:
    """All due times are the moment itself, and the next stage begins at the same moment."""
    profile = stages_profile([(10 * S, 0), (0, 500), (10 * S, 500)], A)

    assert (users_at(profile, 10 * S - 1), users_at(profile, 10 * S)) == (0, 500)


def test_profile_ends_with_its_last_stage() -> None:
    """When the test is over."""
    assert profile_end_us([(60 * S, 100), (30 * S, 0)], start_us=5) == 90 * S + 5


def test_steps_add_users_until_there_are_enough() -> None:
    """As Locust's step load did."""
    profile = step_profile(users=25, step_users=10, step_us=30 * S, spawn_rate=5, classes=A)

    assert [(timed.from_us, timed.goal.users) for timed in profile] == [(0, 10), (30 * S, 20), (60 * S, 25)]
    assert users_at(profile, 29 * S) == 10


@pytest.mark.parametrize("at_us", [0, 30 * S, 59 * S, 60 * S, 61 * S])
def test_goals_from_a_moment_on_are_the_one_that_holds_and_the_rest(at_us: int) -> None:
    """A plan made anew in the middle of a profile goes on with the rest of it."""
    profile = stages_profile([(30 * S, 10), (30 * S, 20)], A)

    now, later = goals_from(profile, at_us)

    assert now == profile[min(1, at_us // (30 * S))]
    assert later == profile[1 + min(1, at_us // (30 * S)) :]


@given(class_shares(), MIXED_WORKERS, USERS, USERS, st.integers(0, 7 * S), st.sampled_from([1, 3, 10]))
@settings(deadline=None)
def test_later_goal_goes_on_as_a_plan_made_at_its_moment_would(
    classes: tuple[ClassShare, ...],
    workers: tuple[WorkerCapacity, ...],
    users: int,
    then: int,
    at_us: int,
    rate: int,
) -> None:
    """A stage that is not finished is cut to the microsecond, and the rate kept across the cut."""
    first, second = goal_of(users, classes), goal_of(then, classes, rate)
    alone = make_plan(current={}, goal=first, workers=workers, start_us=0)
    made_then = make_plan(
        current=planned_placement(alone, at_us),
        goal=second,
        workers=workers,
        start_us=next_start_us(alone, at_us=at_us, spawn_rate=rate),
    )

    both = make_plan(current={}, goal=first, workers=workers, start_us=0, later=[TimedGoal(at_us, second)])

    before = [step for step in steps(alone) if step.due_us <= at_us]
    assert list(steps(both)) == before + list(steps(made_then))
    assert planned_placement(both, end_us(both)) == planned_placement(made_then, end_us(made_then))
    assert both.total_target == then


@given(
    class_shares(), MIXED_WORKERS, st.lists(st.tuples(st.integers(0, 5 * S), USERS), min_size=1, max_size=6)
)
@settings(deadline=None)
def test_plan_of_a_profile_says_what_its_steps_say(
    classes: tuple[ClassShare, ...], workers: tuple[WorkerCapacity, ...], stages: list[tuple[int, int]]
) -> None:
    """What is sent, the list of changes, and the count at each moment are one thing."""
    profile = stages_profile(stages, classes)
    plan = plan_of(PlanBasis(0, {}, profile[0].goal, workers, profile[1:]))
    listed = list(steps(plan))

    sent = sorted(
        (due_us, worker, schedule.user_class, change)
        for worker, schedules in plan.by_worker.items()
        for schedule in schedules
        for due_us, change in changes(schedule)
    )
    assert sent == sorted((step.due_us, step.worker, step.user_class, step.change) for step in listed)
    assert all(earlier.due_us <= later.due_us for earlier, later in pairwise(listed))
    for step in listed:
        total = sum(each.change for each in listed if each.due_us <= step.due_us)
        assert planned_users(plan, step.due_us) == total


def test_plan_of_many_users_is_enumerated_only_when_somebody_asks() -> None:
    """Neither making it nor asking how many users run may cost more for more users."""
    classes = tuple(ClassShare(f"Lazy{index}", 1 + index) for index in range(20))
    workers = fleet([1] * 100)

    plan = make_plan(current={}, goal=goal_of(100_000, classes), workers=workers, start_us=0)

    assert (plan.total_target, planned_users(plan, 5_000_000_000)) == (100_000, 50_001)
    assert deal_of(classes, workers).enumerated == 0
    assert sum(s.base_users + sum(x.count for x in s.spans) for s in plan.by_worker["w7"]) == 1_000
    assert deal_of(classes, workers).enumerated == 100_000
