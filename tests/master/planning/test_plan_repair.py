"""The laws of a plan that starts from a disturbed placement: a worker lost or joined, classes changed."""

from collections import Counter
from fractions import Fraction

from hypothesis import example, given
from hypothesis import strategies as st

from locust_master.planning.goal import ClassShare, class_counts
from locust_master.planning.plan import (
    Placement,
    Step,
    WorkerCapacity,
    make_plan,
    planned_placement,
)

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
    placements,
    plan_steps,
    too_many,
    turn_ends,
    walk,
)

Workers = tuple[WorkerCapacity, ...]
Classes = tuple[ClassShare, ...]

DISTURBED = MIXED_WORKERS.flatmap(lambda workers: st.tuples(st.just(workers), placements(workers)))
DISTURBED_EQUAL = EQUAL_WORKERS.flatmap(lambda workers: st.tuples(st.just(workers), placements(workers)))


@given(class_shares(), DISTURBED, USERS)
@example(
    (ClassShare("C0", 1), ClassShare("C1", 1)),
    (fleet([1] * 5), {"w2": {"C1": 2}, "w3": {"C2": 1}}),
    4,
)
def test_plan_ends_at_the_goal_whatever_is_running(
    classes: Classes, disturbed: tuple[Workers, Placement], users: int
) -> None:
    """Mix exact and every worker less than one from its share, from any beginning."""
    workers, current = disturbed
    capacity = sum(worker.runners for worker in workers)

    placement = at_rest(goal_of(users, classes), workers, current)

    assert by_class(placement) == +Counter(class_counts(classes, users))
    loads = by_worker(placement)
    for worker in workers:
        assert abs(loads[worker.worker] - Fraction(users * worker.runners, capacity)) < 1


@given(class_shares(), DISTURBED, USERS)
def test_plan_never_passes_the_larger_of_what_runs_and_the_goal(
    classes: Classes, disturbed: tuple[Workers, Placement], users: int
) -> None:
    """Where a user goes and another comes, the one that goes is first."""
    workers, current = disturbed
    ceiling = max(by_class(current).total(), users)

    steps = plan_steps(current=current, goal=goal_of(users, classes), workers=workers, start_us=0)

    assert all(by_class(running).total() <= ceiling for _, running in walk(current, steps))


@given(class_shares(), DISTURBED, USERS)
def test_plan_starts_and_stops_at_most_one_user_at_each_due_time(
    classes: Classes, disturbed: tuple[Workers, Placement], users: int
) -> None:
    """Repairs keep the spawn rate like any ramp, and nothing is idle in between."""
    workers, current = disturbed
    steps = plan_steps(current=current, goal=goal_of(users, classes, 4), workers=workers, start_us=9)

    turns: dict[int, list[int]] = {}
    for step in steps:
        turns.setdefault(step.due_us, []).append(step.change)
    assert list(turns) == [9 + 250_000 * k for k in range(len(turns))]
    assert all(turn in ([+1], [-1], [-1, +1]) for turn in turns.values())


@given(class_shares(), DISTURBED, USERS)
def test_total_only_goes_toward_the_goal(
    classes: Classes, disturbed: tuple[Workers, Placement], users: int
) -> None:
    """Between due times the load never swings back."""
    workers, current = disturbed
    totals = [by_class(current).total()]
    due_us = -1
    for step, running in walk(
        current, plan_steps(current=current, goal=goal_of(users, classes), workers=workers, start_us=0)
    ):
        if step.due_us == due_us:
            totals.pop()
        totals.append(by_class(running).total())
        due_us = step.due_us

    assert totals == sorted(totals, reverse=totals[0] > users)


@given(class_shares(), DISTURBED, USERS)
def test_classes_never_get_further_from_their_numbers_in_the_end(
    classes: Classes, disturbed: tuple[Workers, Placement], users: int
) -> None:
    """Every turn leads toward the mix of the end, or keeps what was reached."""
    workers, current = disturbed
    wanted = class_counts(classes, users)

    lacks = [
        sum(abs(running[name] - wanted.get(name, 0)) for name in running | Counter(wanted))
        for running in map(by_class, turn_ends(current, goal_of(users, classes), workers))
    ]

    assert lacks == sorted(lacks, reverse=True)


@given(class_shares(), MIXED_WORKERS, st.data(), USERS, USERS)
def test_ramp_up_after_a_loss_has_the_mix_of_so_many_users_at_every_moment(
    classes: Classes, workers: Workers, data: st.DataObject, before: int, more: int
) -> None:
    """A placement that was put right once ramps up like one that never was disturbed."""
    lost = data.draw(st.sampled_from(workers))
    left = [worker for worker in workers if worker is not lost] or [WorkerCapacity("new", 1)]
    current = at_rest(goal_of(before, classes), left, at_rest(goal_of(before, classes), workers))

    for running in turn_ends(current, goal_of(before + more, classes), left):
        assert by_class(running) == +Counter(class_counts(classes, by_class(running).total()))


@given(class_shares(), DISTURBED, USERS, USERS)
def test_whatever_ran_once_put_right_the_same_goal_changes_nothing(
    classes: Classes, disturbed: tuple[Workers, Placement], users: int, later: int
) -> None:
    """Every end satisfies the laws of rest, so none of them is left again for a better one."""
    workers, current = disturbed
    placement = at_rest(goal_of(later, classes), workers, at_rest(goal_of(users, classes), workers, current))

    assert plan_steps(current=placement, goal=goal_of(later, classes), workers=workers, start_us=0) == []


@given(class_shares(), DISTURBED_EQUAL, st.integers(0, 40))
def test_plan_stops_only_what_balance_demands_when_no_class_has_too_many(
    classes: Classes, disturbed: tuple[Workers, Placement], more: int
) -> None:
    """The fewest moves there can be."""
    workers, placed = disturbed
    wanted = class_counts(classes, by_class(placed).total() + more)
    left = Counter(wanted)
    current: dict[str, dict[str, int]] = {}
    for worker, running in placed.items():
        current[worker] = {name: min(users, left[name]) for name, users in running.items()}
        left.subtract(current[worker])

    users = sum(wanted.values())
    steps = plan_steps(current=current, goal=goal_of(users, classes), workers=workers, start_us=0)

    assert _stops(steps) == too_many(by_worker(current).values(), users)


@given(class_shares(), DISTURBED_EQUAL, USERS)
def test_plan_never_stops_more_than_mix_and_balance_demand_one_by_one(
    classes: Classes, disturbed: tuple[Workers, Placement], users: int
) -> None:
    """A stop for the mix serves the balance too, where it can."""
    workers, current = disturbed
    wanted = class_counts(classes, users)
    mix = sum(max(0, count - wanted.get(name, 0)) for name, count in by_class(current).items())
    balance = too_many(by_worker(current).values() or [0], users)

    stops = _stops(plan_steps(current=current, goal=goal_of(users, classes), workers=workers, start_us=0))

    assert max(mix, balance) <= stops <= mix + balance


@given(class_shares(), st.integers(2, 6), st.data(), USERS)
def test_lost_worker_costs_nobody_else_a_user(
    classes: Classes, count: int, data: st.DataObject, users: int
) -> None:
    """The users that went with it are started on the others, and nothing is stopped."""
    workers = fleet([3] * count)
    lost = data.draw(st.sampled_from(workers))
    left = [worker for worker in workers if worker is not lost]
    current = at_rest(goal_of(users, classes), workers)

    steps = plan_steps(current=current, goal=goal_of(users, classes), workers=left, start_us=0)

    assert len(steps) == by_worker(current)[lost.worker]
    assert all(step.change == +1 and step.worker != lost.worker for step in steps)
    started = Counter(step.user_class for step in steps)
    assert started == +Counter(current[lost.worker])


@given(class_shares(), EQUAL_WORKERS, USERS)
def test_joined_worker_gets_its_share_by_the_fewest_moves(
    classes: Classes, workers: Workers, users: int
) -> None:
    """Each move takes one user from one class on one worker to the same class on the new one."""
    current = at_rest(goal_of(users, classes), workers)
    more = [*workers, WorkerCapacity("new", 2)]

    steps = plan_steps(current=current, goal=goal_of(users, classes), workers=more, start_us=0)

    moves = list(zip(steps[::2], steps[1::2], strict=True))
    assert len(moves) == too_many([*by_worker(current).values(), 0], users)
    for stop, start in moves:
        assert (stop.change, start.change) == (-1, +1)
        assert (stop.due_us, stop.user_class, start.worker) == (start.due_us, start.user_class, "new")


def test_joined_worker_gets_the_mix_of_the_others() -> None:
    """Rebalancing must not fill a worker with one class."""
    classes = [ClassShare("A", 6), ClassShare("B", 3), ClassShare("C", 1)]
    current = at_rest(goal_of(200, classes), fleet([1, 1]))

    placement = at_rest(goal_of(200, classes), [*fleet([1, 1]), WorkerCapacity("new", 2)], current)

    assert placement["new"] == {"A": 60, "B": 30, "C": 10}


def test_worker_without_runners_gives_its_users_away() -> None:
    """An agent whose runners are all dead stays registered, and runs nothing."""
    classes = [ClassShare("A", 1)]
    current = at_rest(goal_of(6, classes), fleet([1, 1]))

    placement = at_rest(goal_of(6, classes), [WorkerCapacity("w0", 0), WorkerCapacity("w1", 1)], current)

    assert placement == {"w0": {}, "w1": {"A": 6}}


def test_everything_stops_when_no_worker_has_a_runner() -> None:
    """Nobody could take the users."""
    plan = make_plan(
        current={"w0": {"A": 2}},
        goal=goal_of(2, [ClassShare("A", 1)]),
        workers=[WorkerCapacity("w0", 0)],
        start_us=0,
    )

    assert (plan.total_target, by_class(final(plan))) == (0, {})


@given(class_shares(), class_shares(), MIXED_WORKERS, USERS, USERS, st.integers(0, 6_000_000))
def test_change_of_classes_in_the_middle_of_a_ramp_ends_at_the_new_goal(
    old: Classes, new: Classes, workers: Workers, before: int, after: int, at_us: int
) -> None:
    """A load shape may name other classes at every tick."""
    plan = make_plan(current={}, goal=goal_of(before, old), workers=workers, start_us=0)

    placement = at_rest(goal_of(after, new), workers, planned_placement(plan, at_us))

    assert by_class(placement) == +Counter(class_counts(new, after))


def test_mix_is_put_right_before_the_total() -> None:
    """Classes that a goal no longer names must not linger through a long ramp."""
    steps = plan_steps(
        current={"w0": {"Old": 2}},
        goal=goal_of(100, [ClassShare("New", 1)], 1),
        workers=fleet([1]),
        start_us=0,
    )

    stops = [step for step in steps if step.change < 0]
    assert [(step.user_class, step.due_us) for step in stops] == [("Old", 0), ("Old", 1_000_000)]


@given(class_shares(), st.integers(2, 5), USERS, USERS)
def test_second_plan_finds_nothing_to_repair(classes: Classes, count: int, users: int, later: int) -> None:
    """Where a plan ended, the same goal has no steps: applying it twice changes nothing."""
    workers = fleet([2] * count)
    current = at_rest(goal_of(users, classes), workers)
    placement = at_rest(goal_of(later, classes), workers[1:], current)

    assert plan_steps(current=placement, goal=goal_of(later, classes), workers=workers[1:], start_us=0) == []


def _stops(steps: list[Step]) -> int:
    return sum(step.change < 0 for step in steps)
