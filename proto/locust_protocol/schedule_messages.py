"""User schedules as messages and back: what a master tells an agent, and an agent its runners. Pure.

Whether a goal can be followed at all (its class, a kind that this version has) is for its reader to judge.
"""

from __future__ import annotations

from locust_protocol.schedule import Span, UserSchedule
from locust_protocol.v1 import assignment_pb2


def write_goal(schedule: UserSchedule) -> assignment_pb2.ClassGoal:
    """Returns the goal of one class that has the users of `schedule` over time."""
    spans = [
        assignment_pb2.Span(
            first_due_us=span.first_due_us,
            interval_us=span.interval_us,
            count=span.count,
            change=span.change,
        )
        for span in schedule.spans
    ]
    return assignment_pb2.ClassGoal(
        user_class=schedule.user_class,
        users=assignment_pb2.UserSchedule(base_users=schedule.base_users, spans=spans),
    )


def read_goal(goal: assignment_pb2.ClassGoal) -> UserSchedule:
    """Returns the users over time of a goal; none for a goal of another kind."""
    spans = tuple(
        Span(span.first_due_us, span.interval_us, span.count, span.change) for span in goal.users.spans
    )
    return UserSchedule(goal.user_class, goal.users.base_users, spans)
