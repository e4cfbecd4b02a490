"""The mix while a placement is put right: what is fair stays fair, and what is not never gets worse."""

from collections import Counter
from fractions import Fraction
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from locust_master.planning.goal import ClassShare, class_counts
from locust_master.planning.plan import Placement, WorkerCapacity

from .builders import (
    MIXED_WORKERS,
    USERS,
    at_rest,
    by_class,
    class_shares,
    fleet,
    goal_of,
    placements,
    turn_ends,
)

Workers = tuple[WorkerCapacity, ...]
Classes = tuple[ClassShare, ...]

DISTURBED = MIXED_WORKERS.flatmap(lambda workers: st.tuples(st.just(workers), placements(workers)))
A, B = (ClassShare(name, 1) for name in "AB")


@given(class_shares(), class_shares(), MIXED_WORKERS, MIXED_WORKERS, USERS, USERS, USERS)
def test_ramp_keeps_classes_less_than_one_user_from_their_ideal_whatever_was_repaired_before(
    old: Classes, new: Classes, before: Workers, workers: Workers, first: int, users: int, later: int
) -> None:
    """Up or down, after workers that were lost or came and an edit of the classes: no class is ever off."""
    current = at_rest(goal_of(users, new), workers, at_rest(goal_of(first, old), before))

    for running in turn_ends(current, goal_of(later, new), workers):
        assert _distance(new, by_class(running)) < 1


@given(class_shares(), MIXED_WORKERS, MIXED_WORKERS, USERS, USERS, USERS)
def test_edit_in_the_middle_of_a_repair_never_makes_the_mix_worse(
    classes: Classes, before: Workers, workers: Workers, first: int, users: int, later: int
) -> None:
    """A plan may be replaced at any turn, and the next goes on from what runs then."""
    current = at_rest(goal_of(first, classes), before)
    on_the_way = list(turn_ends(current, goal_of(users, classes), workers))
    running = on_the_way[len(on_the_way) // 2]

    _assert_never_worse(classes, running, later, workers)


@given(class_shares(), DISTURBED, USERS)
@example((A, B), (fleet([1]), {"w0": {"Old": 3, "A": 5}}), 2)
def test_users_of_the_wrong_class_never_become_more(
    classes: Classes, disturbed: tuple[Workers, Placement], users: int
) -> None:
    """Wrong are those that a run of just as many users would not have. Other weights begin with many of
    them, and all that a plan may do is to start and stop at the spawn rate, so no law can ask for less than
    one from the ideal there: every turn leads toward it or keeps what was reached.

    Nor from any placement within one user of the ideal. Where classes of weights 9, 9, 1 and 1 have 0, 0, 1
    and 1 users, all are less than one from their ideals (0.9, 0.9, 0.1, 0.1); but of 3 users the first two
    are to have 1.35 each, and only one of them can be the first to start one. Where no user is wrong the
    law before this one holds.
    """
    workers, current = disturbed

    _assert_never_worse(classes, current, users, workers)


def _assert_never_worse(classes: Classes, current: Placement, users: int, workers: Workers) -> None:
    for one, other in pairwise(map(by_class, turn_ends(current, goal_of(users, classes), workers))):
        # Where every class is near its ideal, turns may change places for the balance.
        assert _wrong(classes, other) <= _wrong(classes, one) or _distance(classes, other) < 1, (one, other)


def _wrong(classes: Classes, counted: Counter[str]) -> int:
    """How many users are of a class that has more than among just as many users."""
    return sum((counted - Counter(class_counts(classes, counted.total()))).values())


def _distance(classes: Classes, counted: Counter[str]) -> Fraction:
    """How far the class that is furthest from its ideal share is (users)."""
    users = counted.total()
    fixed = sum(share.fixed_count for share in classes)
    weights = sum(share.weight for share in classes if not share.fixed_count)
    ideal: dict[str, Fraction] = dict.fromkeys(counted, Fraction(0))
    for share in classes:
        if users < fixed:
            ideal[share.name] = Fraction(share.fixed_count * users, fixed)
        else:
            by_weight = (users - fixed) * Fraction(share.weight) / Fraction(weights)
            ideal[share.name] = Fraction(share.fixed_count) or by_weight
    return max(abs(counted[name] - part) for name, part in ideal.items())
