"""The way down when few users are left: against every order there is, on small clusters."""

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from functools import cache

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from locust_master.planning.goal import ClassShare
from locust_master.planning.plan import Placement, WorkerCapacity

from .builders import by_class, by_worker, fleet, goal_of, turn_ends

Matrix = tuple[tuple[int, ...], ...]
Workers = tuple[WorkerCapacity, ...]
Classes = tuple[ClassShare, ...]


@st.composite
def small_clusters(draw: st.DrawFn) -> tuple[Workers, Classes, Matrix]:
    """Up to three workers and three classes, with a few users of each on each."""
    runners = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    parts = draw(st.lists(st.tuples(st.integers(1, 4), st.sampled_from([0, 0, 2])), min_size=1, max_size=3))
    classes = (
        ClassShare("C0", parts[0][0]),
        *(ClassShare(f"C{i}", weight, fixed) for i, (weight, fixed) in enumerate(parts[1:], start=1)),
    )
    users = tuple(tuple(draw(st.integers(0, 3)) for _ in classes) for _ in runners)
    return fleet(runners), classes, users


@given(small_clusters())
@settings(max_examples=300, deadline=None)
def test_way_down_keeps_mix_and_shares_wherever_any_order_of_stops_does(
    cluster: tuple[Workers, Classes, Matrix],
) -> None:
    """A class is less than one user from its ideal share, a worker at most one from its fair share."""
    workers, classes, users = cluster
    assume(_is_lawful(workers, classes, users))

    way = list(turn_ends(_placement(workers, classes, users), goal_of(0, classes), workers))

    off = max(_off_share(workers, running) for running in way)
    assert off <= 1 or not _some_order_is_lawful(workers, classes, users), off
    assert all(_off_mix(classes, by_class(running)) < 1 for running in way)


@pytest.mark.parametrize(
    ("runners", "classes", "users", "least"),
    [
        # The last to run are those of the fixed count, and all of them run on one of two workers.
        ([1, 1], (ClassShare("A", 1, 3), ClassShare("B", 1)), ((3, 0), (0, 3)), Fraction(3, 2)),
        # The smallest there is without fixed counts: of 3 users the first worker is to have 0.75 and has 2,
        # but all it could stop is one of two users of a class that is to have 2.
        ([1, 3], (ClassShare("A", 2), ClassShare("B", 1)), ((2, 0), (0, 2)), Fraction(5, 4)),
    ],
)
def test_mix_goes_before_shares_where_no_order_of_stops_keeps_both(
    runners: list[int], classes: Classes, users: Matrix, least: Fraction
) -> None:
    """A ramp down moves nobody, so such workers are as near to their shares as the mix lets them."""
    workers = fleet(runners)

    way = list(turn_ends(_placement(workers, classes, users), goal_of(0, classes), workers))

    assert not _some_order_is_lawful(workers, classes, users)
    assert max(_off_share(workers, running) for running in way) == least
    assert all(_off_mix(classes, by_class(running)) < 1 for running in way)


def _some_order_is_lawful(workers: Workers, classes: Classes, users: Matrix) -> bool:
    @cache
    def leads_on(here: Matrix) -> bool:
        return not any(map(sum, here)) or any(
            _is_lawful(workers, classes, after) and leads_on(after) for after in _one_less(here)
        )

    return leads_on(users)


def _one_less(users: Matrix) -> list[Matrix]:
    return [
        (*users[:w], (*row[:c], count - 1, *row[c + 1 :]), *users[w + 1 :])
        for w, row in enumerate(users)
        for c, count in enumerate(row)
        if count
    ]


def _is_lawful(workers: Workers, classes: Classes, users: Matrix) -> bool:
    running = _placement(workers, classes, users)
    return _off_share(workers, running) <= 1 and _off_mix(classes, by_class(running)) < 1


def _placement(workers: Workers, classes: Classes, users: Matrix) -> Placement:
    return {
        worker.worker: {share.name: count for share, count in zip(classes, row, strict=True) if count}
        for worker, row in zip(workers, users, strict=True)
    }


def _off_share(workers: Sequence[WorkerCapacity], running: Placement) -> Fraction:
    loads = by_worker(running)
    users, capacity = sum(loads.values()), sum(worker.runners for worker in workers)
    return max(
        abs(loads.get(worker.worker, 0) - Fraction(users * worker.runners, capacity)) for worker in workers
    )


def _off_mix(classes: Classes, counted: Counter[str]) -> Fraction:
    users = counted.total()
    fixed = sum(share.fixed_count for share in classes)
    weights = sum(share.weight for share in classes if not share.fixed_count)
    off = Fraction(0)
    for share in classes:
        if share.fixed_count:
            ideal = Fraction(share.fixed_count * min(users, fixed), fixed)
        else:
            ideal = Fraction(max(0, users - fixed)) * Fraction(share.weight) / Fraction(weights)
        off = max(off, abs(counted[share.name] - ideal))
    return off
