"""Typed values: Python data goes and comes back the same, or is refused with the place that is wrong."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_protocol.limits import MAX_VALUE_DEPTH, MAX_VALUE_ITEMS
from locust_protocol.v1.value_pb2 import Value
from locust_runtime.values import MAX_INT, MIN_INT, ValueRefused, from_value, to_value

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(MIN_INT, MAX_INT)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
)
DATA = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(DATA)
def test_value_comes_back_as_it_went(data: Any) -> None:
    """Over the wire too; True is not 1, and 1 is not 1.0."""
    back = from_value(Value.FromString(to_value(data).SerializeToString()))
    assert back == data
    assert repr(back) == repr(data)


def test_value_keeps_what_is_no_number() -> None:
    """Infinities and not-a-number are floats like others."""
    assert math.isnan(from_value(to_value(math.nan)))
    assert from_value(to_value(-math.inf)) == -math.inf


def test_value_turns_tuples_into_lists_and_nothing_into_none() -> None:
    """The one change on the way, and the meaning of an unset value."""
    assert from_value(to_value((1, (2,)))) == [1, [2]]
    assert from_value(Value()) is None


def nested(levels: int) -> Any:
    data: Any = 1
    for _ in range(levels):
        data = [data]
    return data


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"a": [1, {2}]}, "data['a'][1] is a set"),
        ({1: 2}, "data has the key 1"),
        ([MAX_INT + 1], "data[0] is 9223372036854775808"),
        (["\ud800"], "data[0] is text"),
        ({"\ud800": 1}, "is text that UTF-8 cannot hold"),
        (nested(MAX_VALUE_DEPTH + 1), f"deeper than {MAX_VALUE_DEPTH}"),
        ([0] * (MAX_VALUE_ITEMS + 1), f"more than {MAX_VALUE_ITEMS} items"),
        (object(), "data is a object"),
    ],
)
def test_value_refuses_with_the_place_that_is_wrong(data: Any, text: str) -> None:
    """Never turned into something else in silence."""
    with pytest.raises(ValueRefused) as refused:
        to_value(data)
    assert text in str(refused.value)


def test_value_takes_what_is_just_within_the_limits() -> None:
    """Limits are inclusive."""
    assert from_value(to_value(nested(MAX_VALUE_DEPTH))) == nested(MAX_VALUE_DEPTH)
    assert from_value(to_value([0] * MAX_VALUE_ITEMS)) == [0] * MAX_VALUE_ITEMS
