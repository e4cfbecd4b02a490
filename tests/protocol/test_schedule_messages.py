"""Schedules as messages: master, agent and runner read from them what was written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from locust_protocol.schedule import Span, UserSchedule
from locust_protocol.schedule_messages import read_goal, write_goal
from locust_protocol.v1 import assignment_pb2

spans = st.builds(
    Span,
    first_due_us=st.integers(0, 2**50),
    interval_us=st.integers(0, 2**40),
    count=st.integers(1, 2**31 - 1),
    change=st.sampled_from((-1, 1)),
)
schedules = st.builds(
    UserSchedule,
    user_class=st.text(max_size=20),
    base_users=st.integers(0, 2**31 - 1),
    spans=st.lists(spans, max_size=4).map(tuple),
)


@given(schedule=schedules)
def test_schedule_comes_back_from_the_wire_as_it_was(schedule: UserSchedule) -> None:
    """A microsecond off, and two runners start the same user at different times."""
    wire = write_goal(schedule).SerializeToString()
    assert read_goal(assignment_pb2.ClassGoal.FromString(wire)) == schedule


def test_goal_of_another_kind_has_no_users_over_time() -> None:
    """Whoever cannot follow it refuses it; nobody may start users by mistake."""
    goal = assignment_pb2.ClassGoal(user_class="Shopper", arrivals=assignment_pb2.ArrivalSchedule())
    assert read_goal(goal) == UserSchedule("Shopper", 0, ())
