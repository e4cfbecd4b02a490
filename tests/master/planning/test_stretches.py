"""The fair sequence by stretches: the same as pick by pick, however the weights are."""

from itertools import chain, islice

from hypothesis import example, given, settings
from hypothesis import strategies as st

from locust_master.planning.share import earliest_deadline_first, slack_of
from locust_master.planning.stretches import FIRST_STRETCH, fair_stretches

WEIGHTS = st.lists(st.floats(1e-9, 1_000.0) | st.integers(1, 50), min_size=2, max_size=30)


@given(WEIGHTS)
@example([1, 1])
@example([1, 2, 3] * 10)
@example([0.1 + 0.7 * index for index in range(20)])
@settings(max_examples=60, deadline=None)
def test_stretches_give_what_the_slow_rule_gives(weights: list[float]) -> None:
    """The first three stretches and some of the fourth: nothing may be lost or doubled where they meet."""
    total = sum(weights)
    shares = {index: weight / total for index, weight in enumerate(weights)}
    length = 8 * FIRST_STRETCH

    picks = list(islice(chain.from_iterable(fair_stretches(shares, slack_of(shares))), length))

    assert picks == list(islice(earliest_deadline_first(shares), length))
