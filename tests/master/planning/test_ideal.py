"""Ideal shares: when a class must and may stop a user is what its bounds say, total by total."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from locust_master.planning.goal import ClassShare
from locust_master.planning.ideal import ALWAYS, Ideal

from .builders import class_shares


@given(class_shares(), st.data())
def test_turns_of_a_class_are_the_totals_at_which_its_bounds_change(
    classes: tuple[ClassShare, ...], data: st.DataObject
) -> None:
    """Down to `must` users in all it has one too many; from `may` on it can spare one."""
    ideal = Ideal(classes, len(classes) + 1)
    fewest, most = ideal.bounds(np.arange(200))
    user_class = data.draw(st.integers(0, len(classes)))
    count = data.draw(st.integers(1, 12))

    must, may = ideal.turns_of(user_class, count)

    assert [count > most[users][user_class] for users in range(200)] == [
        users <= must for users in range(200)
    ]
    spare = [count - 1 >= fewest[users][user_class] for users in range(200)]
    assert must == ALWAYS or spare == [users <= may for users in range(200)]
    assert [ideal.share(user_class, users) for users in range(9)] == [
        ideal.shares(users)[user_class] for users in range(9)
    ]
