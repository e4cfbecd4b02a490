"""The fair sequence: every prefix is fair, and nobody who came is ever taken back."""

from collections import Counter
from fractions import Fraction
from itertools import islice

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from locust_master.planning.share import MAX_REPEATED_PICKS, fair_sequence

WHOLE = st.lists(st.integers(0, 50), min_size=1, max_size=12).filter(any)
REAL = st.lists(st.floats(0.001, 1_000.0), min_size=1, max_size=12)


@given(WHOLE | REAL)
@example([6, 6, 2])
@example([1, 10**6])
@example([1, 1, 1])
@example([0.1, 0.2, 0.7])
@settings(deadline=None)
def test_fair_sequence_is_less_than_one_from_every_share_at_every_prefix(weights: list[float]) -> None:
    """The law that largest remainder does not keep while the total grows."""
    total = sum(map(Fraction, weights))
    counts: Counter[int] = Counter()

    for length, index in enumerate(islice(fair_sequence(weights), 250), start=1):
        counts[index] += 1
        for i, weight in enumerate(weights):
            assert abs(counts[i] - Fraction(weight) * length / total) < 1, (length, i)


@given(WHOLE)
def test_fair_sequence_is_exact_after_as_many_picks_as_the_weights_sum_to(weights: list[int]) -> None:
    """At a total that the weights divide, the mix is the weights themselves."""
    counts = Counter(islice(fair_sequence(weights), sum(weights)))

    assert [counts[index] for index in range(len(weights))] == weights


@given(WHOLE | REAL, st.integers(0, 200), st.integers(0, 200))
def test_fair_sequence_never_retracts(weights: list[float], one: int, other: int) -> None:
    """What a smaller total has is the beginning of what a larger total has."""
    fewer, more = sorted((one, other))

    assert list(islice(fair_sequence(weights), more))[:fewer] == list(islice(fair_sequence(weights), fewer))


def test_fair_sequence_stays_fair_far_out_when_weights_never_repeat() -> None:
    """Rounding must not add up over a hundred thousand users."""
    weights = [0.1 + 0.7 * index for index in range(20)]
    total = sum(map(Fraction, weights))
    length = 100_000

    counts = Counter(islice(fair_sequence(weights), length))

    assert all(abs(counts[i] - Fraction(w) * length / total) < 1 for i, w in enumerate(weights))


@pytest.mark.parametrize("last", [MAX_REPEATED_PICKS - 1, MAX_REPEATED_PICKS])
def test_fair_sequence_is_fair_on_both_sides_of_the_longest_repeat(last: int) -> None:
    """A sequence that is repeated from memory and one that is computed on are one law."""
    weights = [1, last]
    length = 2 * (last + 1)

    assert Counter(islice(fair_sequence(weights), length)) == {0: 2, 1: 2 * last}


def test_fair_sequence_never_has_a_weight_of_zero() -> None:
    """Weight 0 is how a class is switched off."""
    assert set(islice(fair_sequence([0, 3, 0.0, 1]), 100)) == {1, 3}


@pytest.mark.parametrize("weights", [[], [0], [0, 0.0]])
def test_fair_sequence_is_empty_without_a_weight(weights: list[float]) -> None:
    """Nobody can come, so it ends instead of spinning."""
    assert list(fair_sequence(weights)) == []


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf")])
def test_fair_sequence_refuses_what_is_no_weight(weight: float) -> None:
    """Rather than an order that means nothing."""
    with pytest.raises(ValueError, match="weight"):
        next(fair_sequence([1, weight]))


@pytest.mark.parametrize("weights", [[1e308, 1e308], [5e-324, 5e-324], [1, 5e-324]])
def test_fair_sequence_survives_the_ends_of_the_number_range(weights: list[float]) -> None:
    """Sums that overflow and shares that vanish are still an order."""
    assert len(list(islice(fair_sequence(weights), 10))) == 10
