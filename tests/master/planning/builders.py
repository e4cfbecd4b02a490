"""Goals, workers and placements for the laws of planning, and what the laws ask about them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from hypothesis import strategies as st

from locust_master.planning.goal import ClassShare, Goal
from locust_master.planning.plan import (
    Placement,
    PlacementPlan,
    Step,
    WorkerCapacity,
    end_us,
    make_plan,
    planned_placement,
    steps,
)

EQUAL_WORKERS = st.integers(1, 6).map(lambda count: fleet([2] * count))
MIXED_WORKERS = st.lists(st.integers(1, 5), min_size=1, max_size=6).map(lambda runners: fleet(runners))
USERS = st.integers(0, 60)


@st.composite
def class_shares(draw: st.DrawFn) -> tuple[ClassShare, ...]:
    """Up to five classes, at least one with a weight, some with a fixed count."""
    parts = draw(st.lists(st.tuples(st.integers(0, 7), st.sampled_from([0, 0, 0, 1, 3])), max_size=4))
    return (
        ClassShare("C0", draw(st.integers(1, 7))),
        *(ClassShare(f"C{i}", weight, fixed) for i, (weight, fixed) in enumerate(parts, start=1)),
    )


@st.composite
def placements(draw: st.DrawFn, workers: Sequence[WorkerCapacity]) -> Placement:
    """Anything at all on the given workers, classes that no goal names included."""
    names = ["C0", "C1", "C2", "Old"]
    return {
        worker.worker: {name: draw(st.integers(0, 4)) for name in names if draw(st.booleans())}
        for worker in workers
    }


def fleet(runners: Iterable[int]) -> tuple[WorkerCapacity, ...]:
    return tuple(WorkerCapacity(f"w{index}", count) for index, count in enumerate(runners))


def goal_of(users: int, classes: Sequence[ClassShare], spawn_rate: float = 10) -> Goal:
    return Goal(users=users, spawn_rate=spawn_rate, classes=tuple(classes))


def plan_steps(
    *, current: Placement, goal: Goal, workers: Sequence[WorkerCapacity], start_us: int
) -> list[Step]:
    """Every single change of a plan."""
    return list(steps(make_plan(current=current, goal=goal, workers=workers, start_us=start_us)))


def at_rest(goal: Goal, workers: Sequence[WorkerCapacity], current: Placement | None = None) -> Placement:
    """Where a plan from `current` (nothing by default) ends."""
    return final(make_plan(current=current or {}, goal=goal, workers=workers, start_us=0))


def final(plan: PlacementPlan) -> Placement:
    return planned_placement(plan, end_us(plan))


def by_class(placement: Placement) -> Counter[str]:
    users: Counter[str] = Counter()
    for classes in placement.values():
        users.update(classes)
    return +users


def by_worker(placement: Placement) -> dict[str, int]:
    return {worker: sum(classes.values()) for worker, classes in placement.items()}


def turn_ends(current: Placement, goal: Goal, workers: Sequence[WorkerCapacity]) -> Iterator[Placement]:
    """What runs at first on the given workers, and after each turn of a plan."""
    here = {worker.worker: current.get(worker.worker, {}) for worker in workers}
    taken = plan_steps(current=here, goal=goal, workers=workers, start_us=0)
    yield here
    for (step, running), later in zip_longest(walk(here, taken), taken[1:]):
        if later is None or later.due_us > step.due_us:
            yield running


def walk(current: Placement, taken: Iterable[Step]) -> Iterator[tuple[Step, Placement]]:
    """Each step with the placement right after it; nobody may stop a user that does not run."""
    running = {worker: Counter(classes) for worker, classes in current.items()}
    for step in taken:
        users = running.setdefault(step.worker, Counter())
        users[step.user_class] += step.change
        assert users[step.user_class] >= 0, step
        yield step, {worker: dict(classes) for worker, classes in running.items()}


def too_many(loads: Iterable[int], users: int) -> int:
    """Fewest users that equal workers with these loads must give away to share `users` evenly."""
    ordered = sorted(loads, reverse=True)
    floor, rest = divmod(users, len(ordered))
    return sum(max(0, load - floor - (place < rest)) for place, load in enumerate(ordered))
