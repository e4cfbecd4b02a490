"""Who is started first when users of several classes are missing: whoever was due first."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_protocol.schedule import Span, UserSchedule, changes, wanted_users
from locust_runtime.run.due_order import missing_in_due_order


def ramp(first_due_us: int, interval_us: int, count: int, *, base: int = 0) -> UserSchedule:
    return UserSchedule("any", base, (Span(first_due_us, interval_us, count, 1),))


A, B = 0, 1


@pytest.mark.parametrize(
    ("missing", "order"),
    [
        ([], []),
        ([(ramp(0, 10, 5), 3)], [A, A, A]),
        # Two classes in turn: the latest two of each.
        ([(ramp(0, 20, 5), 2), (ramp(10, 20, 5), 2)], [A, B, A, B]),
        # Of the second class only the latest is missing: it comes last.
        ([(ramp(0, 20, 5), 3), (ramp(10, 20, 5), 1)], [A, A, A, B]),
        # The base was due before any change.
        ([(ramp(0, 20, 1), 1), (ramp(90, 1, 1, base=2), 3)], [B, B, A, B]),
        # All at once: dealt evenly, not class by class.
        ([(ramp(0, 0, 4), 4), (ramp(0, 0, 2), 2)], [A, B, A, A, B, A]),
        ([(ramp(500, 1, 1, base=2), 2), (ramp(500, 1, 1, base=2), 2)], [A, B, A, B]),
    ],
)
def test_missing_users_come_in_the_order_in_which_they_were_due(
    missing: list[tuple[UserSchedule, int]], order: list[int]
) -> None:
    """Class by class, the mix would be wrong by as many users as are missing."""
    assert missing_in_due_order(missing, now_us=100) == order


spans = st.builds(
    Span, st.integers(0, 60), st.integers(0, 20), st.integers(1, 8), change=st.sampled_from((1, 1, -1))
)
schedules = st.builds(
    UserSchedule, st.just("any"), st.integers(8, 12), st.lists(spans, max_size=3).map(tuple)
)


@given(st.lists(schedules, max_size=4), st.integers(0, 200), st.data())
def test_each_missing_user_is_named_once_whatever_the_schedules_are(
    wanted: list[UserSchedule], now_us: int, data: st.DataObject
) -> None:
    """An order may never change how many users there are."""
    missing = [
        (schedule, data.draw(st.integers(1, total)))
        for schedule in wanted
        if (total := wanted_users(schedule, now_us)) > 0
    ]
    order = missing_in_due_order(missing, now_us)
    assert Counter(order) == {index: count for index, (_, count) in enumerate(missing)}


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 30), st.integers(1, 10)), min_size=1, max_size=4),
    st.integers(0, 400),
)
def test_a_ramp_of_which_nothing_was_started_comes_as_it_was_planned(
    ramps: list[tuple[int, int, int]], now_us: int
) -> None:
    """Late, but with the mix of the plan at every prefix."""
    wanted = [ramp(*each) for each in ramps]
    missing = [(schedule, count) for schedule in wanted if (count := wanted_users(schedule, now_us))]
    order = missing_in_due_order(missing, now_us)
    due_times = [iter(changes(schedule)) for schedule, _ in missing]
    dues = [next(due_times[index])[0] for index in order]
    assert dues == sorted(dues)
