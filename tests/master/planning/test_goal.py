"""The order of classes: fixed counts first and exactly, the rest by weight."""

from collections import Counter
from fractions import Fraction
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_master.planning.goal import ClassShare, class_counts, class_sequence

FIXED = st.lists(st.integers(1, 8), max_size=4)
WEIGHTS = st.lists(st.integers(0, 9), max_size=6)


def shares(fixed: list[int], weights: list[int]) -> list[ClassShare]:
    return [ClassShare(f"Fixed{i}", 1, count) for i, count in enumerate(fixed)] + [
        ClassShare(f"Weighted{i}", weight) for i, weight in enumerate(weights)
    ]


@pytest.mark.parametrize(
    ("users", "expected"),
    [(0, (0, 0, 0)), (1, (1, 0, 0)), (2, (1, 1, 0)), (3, (2, 1, 0)), (6, (3, 2, 1)), (60, (30, 20, 10))],
)
def test_class_counts_follow_the_weights(users: int, expected: tuple[int, ...]) -> None:
    """3:2:1, from fewer users than classes to the exact mix."""
    classes = [ClassShare("A", 3), ClassShare("B", 2), ClassShare("C", 1)]

    assert tuple(class_counts(classes, users).values()) == expected


@pytest.mark.parametrize(
    ("users", "expected"),
    [(1, {"Admin": 1, "Buyer": 0}), (2, {"Admin": 2, "Buyer": 0}), (5, {"Admin": 2, "Buyer": 3})],
)
def test_class_counts_place_fixed_counts_first(users: int, expected: dict[str, int]) -> None:
    """A fixed count is what its author asked for, whatever its weight and the total."""
    assert class_counts([ClassShare("Admin", 1000, 2), ClassShare("Buyer", 1)], users) == expected


def test_class_sequence_ends_when_only_fixed_counts_are_left() -> None:
    """There is no class that the next user could have."""
    assert sorted(class_sequence([ClassShare("A", 5, 2), ClassShare("B", 5, 1), ClassShare("C", 0)])) == [
        "A",
        "A",
        "B",
    ]


def test_class_sequence_interleaves_fixed_counts() -> None:
    """With fewer users than the fixed counts ask for, each fixed class still has its part."""
    first = list(islice(class_sequence([ClassShare("A", 1, 100), ClassShare("B", 1, 100)]), 10))

    assert Counter(first) == {"A": 5, "B": 5}


@given(FIXED, WEIGHTS, st.integers(0, 300))
def test_class_counts_are_fair_among_the_fixed_and_among_the_weighted(
    fixed: list[int], weights: list[int], users: int
) -> None:
    """Every class is less than one user from its share, and the sum is as near the total as can be."""
    counts = class_counts(shares(fixed, weights), users)

    placed = min(users, sum(fixed))
    rest = users - placed if any(weights) else 0
    assert sum(counts.values()) == placed + rest
    for index, count in enumerate(fixed):
        assert abs(counts[f"Fixed{index}"] - Fraction(count * placed, sum(fixed))) < 1
        assert users < sum(fixed) or counts[f"Fixed{index}"] == count
    for index, weight in enumerate(weights):
        assert abs(counts[f"Weighted{index}"] - Fraction(weight * rest, sum(weights) or 1)) < 1


@given(FIXED, WEIGHTS, st.integers(0, 100))
def test_class_counts_never_fall_while_the_total_grows(
    fixed: list[int], weights: list[int], users: int
) -> None:
    """A ramp up never stops a user."""
    classes = shares(fixed, weights)
    fewer, more = class_counts(classes, users), class_counts(classes, users + 1)

    assert all(fewer[name] <= more[name] for name in fewer)
