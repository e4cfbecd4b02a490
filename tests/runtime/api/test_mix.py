"""The order in which a single process starts its users."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_runtime.run.mix import fair_sequence, user_sequence


def first(count: int, weights: dict[str, float], fixed: dict[str, int] | None = None) -> list[str]:
    return list(islice(user_sequence(weights, fixed or {}), count))


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=8), st.integers(1, 200))
def test_every_prefix_is_within_one_user_of_the_mix(weights: list[float], count: int) -> None:
    """So no class waits for its turn while others ramp up."""
    shares = {str(number): weight for number, weight in enumerate(weights)}
    counts = Counter(islice(fair_sequence(shares), count))
    for name, weight in shares.items():
        assert abs(counts[name] - count * weight / sum(weights)) < 1.000001


@pytest.mark.parametrize(
    ("weights", "fixed", "expected"),
    [
        ({}, {}, ""),
        ({"a": 0}, {}, ""),
        ({"a": 1}, {}, "aaaaaa"),
        ({"a": 3, "b": 2, "c": 1}, {}, "abacba"),
        ({"a": 1, "b": 1}, {"b": 2}, "bbaaaa"),
        ({"a": 0, "b": 1}, {"b": 2}, "bb"),
    ],
)
def test_fixed_counts_come_first_and_end_there(
    weights: dict[str, float], fixed: dict[str, int], expected: str
) -> None:
    """A class with a fixed count gets no more by its weight."""
    sequence = first(6, weights, fixed)
    assert len(sequence) == len(expected)
    assert Counter(sequence) == Counter(expected)
    assert sequence[: sum(fixed.values())] == list(expected[: sum(fixed.values())])
