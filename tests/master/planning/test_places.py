"""Places of a sequence: what enumerating it by hand gives."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from locust_master.planning.places import Places, in_order


@given(st.lists(st.integers(0, 5) | st.just(70_000), max_size=30), st.integers(0, 30))
def test_places_are_those_of_the_sequence_and_later_turns_come_after_all(
    keys: list[int], length: int
) -> None:
    """A class above its number has turns that no run of so many users would give it."""
    places = Places(iter(keys), length)

    seen = keys[:length]
    for key in {*keys, 9}:
        at = [place for place, other in enumerate(seen) if other == key]
        assert [places.of(key, turn) for turn in range(len(at))] == at
        assert places.between(key, 0, len(at) + 2) == [*at, length, length + 1]
        assert places.turns_before(key, len(seen) // 2) == seen[: len(seen) // 2].count(key)


@given(st.lists(st.lists(st.integers(0, 50), max_size=5).map(sorted), max_size=5))
def test_all_places_in_order_say_whose_each_is(places: list[list[int]]) -> None:
    """Whoever is of the least key comes first where two are at one place."""
    ordered, keys = in_order(places)

    every = [(place, key) for key, own in enumerate(places) for place in own]
    assert list(zip(ordered, keys, strict=True)) == sorted(every)
    assert all(one <= other for one, other in pairwise(ordered))
