"""What a new plan takes away, and what runs while nobody may start anything for it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from locust_master.planning.goal import ClassShare, Goal, TimedGoal
from locust_master.planning.moves import givers, held_placement, held_schedules
from locust_master.planning.placement import Placement, WorkerCapacity
from locust_master.planning.plan import PlacementPlan, end_us, make_plan, planned_placement, planned_users
from locust_protocol.schedule import wanted_users
from tests.master.planning.builders import (
    EQUAL_WORKERS,
    USERS,
    at_rest,
    by_worker,
    class_shares,
    fleet,
    goal_of,
)

ONE = (ClassShare("A", 1),)
SWAPPED = (ClassShare("B", 1),)
TWO, THREE = fleet([2, 2]), fleet([2, 2, 2])
SECOND_US = 1_000_000


def plan(
    users: int,
    workers: tuple[WorkerCapacity, ...] = TWO,
    *,
    current: Placement | None = None,
    classes: tuple[ClassShare, ...] = ONE,
    later: tuple[TimedGoal, ...] = (),
) -> PlacementPlan:
    return make_plan(
        current=current or {}, goal=goal_of(users, classes), workers=workers, start_us=0, later=later
    )


def resting(users: int, workers: tuple[WorkerCapacity, ...] = TWO) -> Placement:
    return at_rest(goal_of(users, ONE), workers)


def test_edit_on_a_cluster_at_rest_takes_nothing_from_anybody() -> None:
    """More users are started, or some stopped; who has not heard runs its part of the greater."""
    before = plan(20)
    for users in (0, 10, 20, 50):
        after = plan(users, current=resting(20))
        assert givers(before, after, at_us=end_us(before)) == frozenset()


def test_edit_in_a_ramp_takes_nothing_from_anybody() -> None:
    """Both plans follow the same deal, up and down."""
    before = plan(100)
    at_us = SECOND_US
    up_and_down = (TimedGoal(3 * SECOND_US, goal_of(5, ONE)), TimedGoal(6 * SECOND_US, goal_of(80, ONE)))
    after = plan(40, current=planned_placement(before, at_us), later=up_and_down)
    assert givers(before, after, at_us=at_us) == frozenset()


def test_worker_that_joins_takes_from_all_others() -> None:
    """They have to hear of it before it starts anybody."""
    before = plan(12)
    after = plan(12, THREE, current=resting(12))
    assert givers(before, after, at_us=end_us(before)) == {"w0", "w1"}


def test_worker_that_joins_in_a_ramp_takes_what_others_were_to_start() -> None:
    """They run none too many yet, but would go on to their old ends."""
    before = plan(30)
    at_us = SECOND_US // 2
    after = plan(30, THREE, current=planned_placement(before, at_us))
    assert givers(before, after, at_us=at_us) == {"w0", "w1"}


def test_lost_worker_gives_without_being_asked() -> None:
    """Its lease is over; the others only start users."""
    before = plan(12, THREE)
    staying = {worker: users for worker, users in resting(12, THREE).items() if worker != "w2"}
    after = plan(12, TWO, current=staying)
    assert givers(before, after, at_us=end_us(before)) == frozenset()


def test_change_of_classes_moves_users_everywhere() -> None:
    """Each worker stops users, and has to be heard before another one starts those of the other class."""
    before = plan(8)
    after = plan(8, current=resting(8), classes=SWAPPED)
    assert givers(before, after, at_us=end_us(before)) == {"w0", "w1"}


def test_only_worker_moves_users_to_itself() -> None:
    """It does both or neither."""
    before = plan(8, fleet([2]))
    after = plan(8, fleet([2]), current=resting(8, fleet([2])), classes=SWAPPED)
    assert givers(before, after, at_us=end_us(before)) == frozenset()


def test_worker_that_runs_nothing_has_nothing_to_give() -> None:
    """It said so, whatever was planned for it."""
    before = plan(12)
    after = plan(12, THREE, current={"w0": resting(12)["w0"]})
    assert givers(before, after, at_us=end_us(before), idle={"w1"}) == {"w0"}


@given(EQUAL_WORKERS, USERS, USERS, class_shares(), st.integers(0, 8_000))
def test_placement_while_held_is_what_the_held_schedules_say(
    workers: tuple[WorkerCapacity, ...],
    before: int,
    users: int,
    classes: tuple[ClassShare, ...],
    at_ms: int,
) -> None:
    """The master plans on from what workers were told; nobody runs more than before, nor fewer than none."""
    goal = Goal(users, 10, classes)
    current = at_rest(goal_of(before, ONE), workers)
    later = (TimedGoal(2 * SECOND_US, goal_of(before, classes)), TimedGoal(4 * SECOND_US, goal_of(3, ONE)))
    made = make_plan(current=current, goal=goal, workers=workers, start_us=0, later=later)
    at_us = at_ms * 1_000
    told = {
        worker: {
            each.user_class: count
            for each in held_schedules(schedules)
            if (count := wanted_users(each, at_us))
        }
        for worker, schedules in made.by_worker.items()
    }
    assert told == held_placement(made, at_us)
    assert all(count > 0 for classes_ in told.values() for count in classes_.values())
    assert sum(by_worker(told).values()) <= sum(by_worker(current).values())


@given(EQUAL_WORKERS, EQUAL_WORKERS, USERS, USERS, st.integers(0, 6_000), st.data())
def test_users_are_never_too_many_when_only_givers_were_heard(
    workers: tuple[WorkerCapacity, ...],
    others: tuple[WorkerCapacity, ...],
    before: int,
    users: int,
    at_ms: int,
    data: st.DataObject,
) -> None:
    """The law behind it all: who has not heard of a plan and is no giver may go on with the one before."""
    old = make_plan(current={}, goal=goal_of(before, ONE), workers=workers, start_us=0)
    at_us = at_ms * 1_000
    here = {worker.worker for worker in others}
    current = {worker: by for worker, by in planned_placement(old, at_us).items() if worker in here}
    new = make_plan(current=current, goal=goal_of(users, ONE), workers=others, start_us=at_us)
    giving = givers(old, new, at_us=at_us)
    silent = data.draw(st.sets(st.sampled_from(sorted(here))))
    later_us = at_us + data.draw(st.integers(0, 8_000)) * 1_000
    old_users, new_users = (by_worker(planned_placement(each, later_us)) for each in (old, new))
    runs = sum(
        old_users.get(worker, 0) if worker in silent - giving else new_users[worker] for worker in here
    )
    assert runs <= max(planned_users(old, later_us), planned_users(new, later_us)) + 1
