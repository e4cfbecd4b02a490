"""Whether the users that runners are to run can each have a connection, by the limit of open files.

A runner raises its own limit as far as the system lets it. Past that each further user fails with an error of
the generator, not of the target: better said before than counted afterwards.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from locust_protocol.schedule import UserSchedule, wanted_users
from locust_worker.split import Deal

SPARE_DESCRIPTORS = 64
"""Descriptors of a runner that are no connections: libraries, data files, pipes, its link."""

MAX_MOMENTS = 1_000
"""Ends of spans that are looked at for the greatest number of users; of longer plans, the last ones."""


def peak_users(share: Sequence[UserSchedule]) -> int:
    """Returns the most users that a runner is to have at once, to within a user a class."""
    ends = sorted(
        {
            span.first_due_us + (span.count - 1) * span.interval_us
            for schedule in share
            for span in schedule.spans
        }
    )
    moments = [-1, *ends[-MAX_MOMENTS:]]
    return max(sum(wanted_users(schedule, at_us) for schedule in share) for at_us in moments)


def shortage(plan: Deal, descriptors: int) -> str:
    """Returns a sentence when a runner is to have more users than connections, else ""."""
    users = max((peak_users(share) for share in plan), default=0)
    if not users or users <= descriptors - SPARE_DESCRIPTORS:
        return ""
    return (
        f"a runner is to run {users} users and may open {descriptors} files, so at most "
        f"{max(0, descriptors - SPARE_DESCRIPTORS)} connections: raise the limit (ulimit -Hn, LimitNOFILE=) "
        "or add workers"
    )
