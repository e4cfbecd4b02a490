"""Load profiles that need no code, as goals over time: stages, and steps.

Pure: it must never know who runs what, nor what time it is.
"""

from collections.abc import Iterable, Sequence
from itertools import count, takewhile

from locust_master.planning.goal import AT_ONCE, ClassShare, Goal, TimedGoal

US_PER_S = 1_000_000

# Spawn rate (users per second) of a first stage that holds no users: there is nothing to spawn yet.
IDLE_RATE = 1.0


def stages_profile(
    stages: Sequence[tuple[int, int]], classes: Sequence[ClassShare], *, start_us: int = 0
) -> tuple[TimedGoal, ...]:
    """Return the goals of stages of (duration in µs, users at its end), one for each stage.

    Between two stages' ends users change linearly, from 0 at `start_us`. A stage of no duration jumps (see
    `AT_ONCE`); one that ends with the users it began with holds them, and whatever has to be put right
    meanwhile is spawned at the rate of the stage before. Raises ValueError for a negative number.
    """
    goals: list[TimedGoal] = []
    from_us, before, rate = start_us, 0, IDLE_RATE
    for duration_us, users in stages:
        if duration_us < 0 or users < 0:
            raise ValueError(f"a stage needs a duration and users of at least 0, not {duration_us}, {users}")
        if users != before:
            rate = abs(users - before) * US_PER_S / duration_us if duration_us else AT_ONCE
        goals.append(TimedGoal(from_us, Goal(users=users, spawn_rate=rate, classes=tuple(classes))))
        from_us, before = from_us + duration_us, users
    return tuple(goals)


def step_profile(
    *,
    users: int,
    step_users: int,
    step_us: int,
    spawn_rate: float,
    classes: Sequence[ClassShare],
    start_us: int = 0,
) -> tuple[TimedGoal, ...]:
    """Return the goals of a step load: every `step_us` another `step_users`, at `spawn_rate`, until `users`.

    The last step is as small as it must be. Raises ValueError for a step of no users or no time.
    """
    if step_users <= 0 or step_us <= 0:
        raise ValueError(f"a step needs users and a time above 0, not {step_users} users in {step_us} µs")
    totals = [*takewhile(lambda total: total < users, count(step_users, step_users)), users]
    return tuple(
        TimedGoal(
            start_us + index * step_us, Goal(users=total, spawn_rate=spawn_rate, classes=tuple(classes))
        )
        for index, total in enumerate(totals)
    )


def profile_end_us(stages: Iterable[tuple[int, int]], *, start_us: int = 0) -> int:
    """Return when the last stage ends (µs on the run's timeline): the end of the test, as k6 has it."""
    return start_us + sum(duration_us for duration_us, _ in stages)


def goals_from(profile: Sequence[TimedGoal], at_us: int) -> tuple[TimedGoal | None, tuple[TimedGoal, ...]]:
    """Return the goal that holds at `at_us` (None before the first) and those that are still to come."""
    begun = sum(1 for timed in profile if timed.from_us <= at_us)
    return (profile[begun - 1] if begun else None), tuple(profile[begun:])
