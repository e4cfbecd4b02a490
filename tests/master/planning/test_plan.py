"""The laws of a plan at rest and on an undisturbed ramp: mix, balance and time, user by user."""

from collections import Counter
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_master.planning.goal import ClassShare, class_counts
from locust_master.planning.plan import (
    PlacementPlan,
    WorkerCapacity,
    end_us,
    make_plan,
    next_start_us,
    planned_placement,
    planned_users,
)
from locust_protocol.schedule import Span, UserSchedule, changes

from .builders import (
    EQUAL_WORKERS,
    MIXED_WORKERS,
    USERS,
    at_rest,
    by_class,
    by_worker,
    class_shares,
    final,
    fleet,
    goal_of,
    plan_steps,
    walk,
)

Workers = tuple[WorkerCapacity, ...]
Classes = tuple[ClassShare, ...]


def test_plan_at_two_users_a_second_on_ten_workers_starts_one_every_half_second() -> None:
    """A rate below the number of workers must not make bursts."""
    steps = plan_steps(
        current={}, goal=goal_of(10, [ClassShare("A", 1)], 2), workers=fleet([1] * 10), start_us=7
    )

    assert [step.due_us for step in steps] == [7 + 500_000 * k for k in range(10)]
    assert len({step.worker for step in steps}) == 10


def test_plan_travels_as_one_span_for_each_class_and_worker_when_the_ramp_is_regular() -> None:
    """What the master sends for a ramp does not grow with the users."""
    plan = make_plan(
        current={}, goal=goal_of(1_000, [ClassShare("A", 1)], 10), workers=fleet([1, 1]), start_us=0
    )

    assert plan.by_worker["w1"] == (UserSchedule("A", 0, (Span(100_000, 200_000, 500, +1),)),)


@given(class_shares(), MIXED_WORKERS, USERS, st.floats(0.01, 1e5), st.integers(0, 10**12))
def test_step_is_due_at_its_own_multiple_of_the_rate_however_long_the_ramp(
    classes: Classes, workers: Workers, users: int, spawn_rate: float, start_us: int
) -> None:
    """Errors of rounding must not add up."""
    goal = goal_of(users, classes, spawn_rate)

    steps = plan_steps(current={}, goal=goal, workers=workers, start_us=start_us)

    assert len(steps) == users
    for k, step in enumerate(steps):
        exact = start_us + k * 10**6 / Fraction(str(spawn_rate))
        assert abs(step.due_us - exact) <= Fraction(1, 2)


@given(class_shares(), MIXED_WORKERS, USERS, USERS)
def test_ramp_has_the_right_mix_after_every_user(
    classes: Classes, workers: Workers, before: int, after: int
) -> None:
    """Up or down, the classes that run are those of a run of just that many users."""
    current = at_rest(goal_of(before, classes), workers)
    steps = plan_steps(current=current, goal=goal_of(after, classes), workers=workers, start_us=0)

    assert len(steps) == abs(after - before)
    sign = 1 if after > before else -1
    for k, (_, running) in enumerate(walk(current, steps), start=1):
        assert by_class(running) == +Counter(class_counts(classes, before + sign * k))


@given(class_shares(), MIXED_WORKERS, USERS, USERS)
def test_ramp_keeps_every_worker_less_than_one_user_from_its_share(
    classes: Classes, workers: Workers, before: int, after: int
) -> None:
    """Shares go by runners; up or down, with fewer users than workers too."""
    capacity = sum(worker.runners for worker in workers)
    current = at_rest(goal_of(before, classes), workers)
    steps = plan_steps(current=current, goal=goal_of(after, classes), workers=workers, start_us=0)

    for _, running in walk(current, steps):
        loads = by_worker(running)
        for worker in workers:
            share = Fraction(sum(loads.values()) * worker.runners, capacity)
            assert abs(loads.get(worker.worker, 0) - share) < 1


@given(class_shares(), EQUAL_WORKERS, USERS, USERS)
def test_ramp_keeps_equal_workers_within_one_user_of_each_other(
    classes: Classes, workers: Workers, before: int, after: int
) -> None:
    """The plainest form of balance."""
    current = at_rest(goal_of(before, classes), workers)
    steps = plan_steps(current=current, goal=goal_of(after, classes), workers=workers, start_us=0)

    for _, running in walk(current, steps):
        loads = by_worker(running).values()
        assert max(loads) - min(loads) <= 1


@given(class_shares(), MIXED_WORKERS, st.lists(USERS, min_size=1, max_size=5))
def test_placement_depends_on_the_total_and_not_on_the_way_there(
    classes: Classes, workers: Workers, totals: list[int]
) -> None:
    """Edits up and down must not wear the placement out."""
    placement = at_rest(goal_of(0, classes), workers)
    for users in totals:
        placement = at_rest(goal_of(users, classes), workers, placement)

    assert placement == at_rest(goal_of(totals[-1], classes), workers)


@given(class_shares(), MIXED_WORKERS, USERS, USERS, st.integers(-1, 7_000_000))
def test_plan_made_in_the_middle_of_another_does_what_is_left_of_it(
    classes: Classes, workers: Workers, before: int, after: int, at_us: int
) -> None:
    """A new plan starts from what the old one has running at that moment."""
    current = at_rest(goal_of(before, classes), workers)
    goal = goal_of(after, classes)
    plan = make_plan(current=current, goal=goal, workers=workers, start_us=0)
    steps = plan_steps(current=current, goal=goal, workers=workers, start_us=0)
    left = [step for step in steps if step.due_us > at_us]

    again = plan_steps(
        current=planned_placement(plan, at_us),
        goal=goal,
        workers=workers,
        start_us=left[0].due_us if left else 0,
    )

    assert again == left


@given(class_shares(), MIXED_WORKERS, USERS, USERS)
def test_plan_says_what_its_steps_say(classes: Classes, workers: Workers, before: int, after: int) -> None:
    """Schedules are what is sent; steps are what they mean."""
    current = at_rest(goal_of(before, classes), workers)
    goal = goal_of(after, classes)
    plan = make_plan(current=current, goal=goal, workers=workers, start_us=5)
    steps = plan_steps(current=current, goal=goal, workers=workers, start_us=5)

    sent = sorted(
        (due_us, worker, schedule.user_class, change)
        for worker, schedules in plan.by_worker.items()
        for schedule in schedules
        for due_us, change in changes(schedule)
    )
    assert sent == sorted((step.due_us, step.worker, step.user_class, step.change) for step in steps)
    assert plan.total_target == after
    assert end_us(plan) == max((step.due_us for step in steps), default=5)
    for step, running in walk(current, steps):
        assert planned_users(plan, step.due_us) == sum(by_worker(running).values())
        assert by_class(planned_placement(plan, step.due_us)) == by_class(running)


def test_plan_mixes_classes_on_every_worker_when_their_turns_coincide() -> None:
    """Two equal classes on two workers must not become a worker for each class."""
    placement = at_rest(goal_of(40, [ClassShare("A", 1), ClassShare("B", 1)]), fleet([1, 1]))

    assert placement == {"w0": {"A": 10, "B": 10}, "w1": {"A": 10, "B": 10}}


def test_plan_spreads_every_class_over_all_workers() -> None:
    """At size, each worker's mix is near the goal's, so no worker is a special case."""
    classes = [ClassShare(f"C{index}", 1 + index % 4) for index in range(8)]
    placement = at_rest(goal_of(2_000, classes), fleet([4] * 10))

    for name, users in class_counts(classes, 2_000).items():
        on_each = [running.get(name, 0) for running in placement.values()]
        assert max(on_each) - min(on_each) <= 0.05 * users, name


def test_plan_has_fewer_users_than_the_goal_when_only_fixed_counts_are_left() -> None:
    """Nobody could be the missing users; the plan says so instead of promising them."""
    plan = make_plan(current={}, goal=goal_of(10, [ClassShare("A", 1, 3)]), workers=fleet([1, 1]), start_us=0)

    assert plan.total_target == 3
    assert by_class(final(plan)) == {"A": 3}


def test_plan_is_empty_without_workers() -> None:
    """A master with nobody to place on has a plan all the same."""
    plan = make_plan(current={}, goal=goal_of(10, [ClassShare("A", 1)]), workers=[], start_us=3)

    assert (dict(plan.by_worker), plan.total_target, end_us(plan)) == ({}, 0, 3)


def test_plan_names_a_worker_that_is_to_run_nothing() -> None:
    """Desired state: an empty share is told, not left out."""
    plan = make_plan(current={}, goal=goal_of(1, [ClassShare("A", 1)]), workers=fleet([1, 1]), start_us=0)

    assert plan.by_worker["w1"] == ()


@pytest.mark.parametrize("spawn_rate", [0, -1, float("nan"), float("inf")])
def test_plan_refuses_what_is_no_spawn_rate(spawn_rate: float) -> None:
    """There is no time at which the second user would be due."""
    with pytest.raises(ValueError, match="spawn rate"):
        make_plan(
            current={}, goal=goal_of(1, [ClassShare("A", 1)], spawn_rate), workers=fleet([1]), start_us=0
        )


@given(
    class_shares(),
    MIXED_WORKERS,
    st.lists(st.tuples(st.integers(0, 700_000), USERS), min_size=1, max_size=6),
    st.sampled_from([1, 3, 10, 40.5]),
)
def test_edits_in_quick_succession_keep_the_spawn_rate(
    classes: Classes, workers: Workers, edits: list[tuple[int, int]], spawn_rate: float
) -> None:
    """Each plan begins with a step; a shape that ticks often must not gain a user each time."""
    at_us = 0
    plan = make_plan(current={}, goal=goal_of(20, classes, spawn_rate), workers=workers, start_us=0)
    done: list[int] = []
    for wait_us, users in edits:
        later_us = at_us + wait_us
        done += _dues(plan, at_us, later_us)
        start_us = next_start_us(plan, at_us=later_us, spawn_rate=spawn_rate)
        plan = make_plan(
            current=planned_placement(plan, later_us),
            goal=goal_of(users, classes, spawn_rate),
            workers=workers,
            start_us=start_us,
        )
        at_us = later_us + 1
    done += _dues(plan, at_us, 10**12)

    gaps = [later - earlier for earlier, later in pairwise(done)]
    assert all(gap >= 10**6 / spawn_rate - 1 for gap in gaps)


def _dues(plan: PlacementPlan, from_us: int, to_us: int) -> list[int]:
    """Due times of the plan's steps in a stretch of time, its ends included."""
    return sorted(
        due_us
        for schedules in plan.by_worker.values()
        for schedule in schedules
        for due_us, _ in changes(schedule)
        if from_us <= due_us <= to_us
    )
