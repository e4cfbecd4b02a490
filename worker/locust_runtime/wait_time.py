"""How long a user waits between tasks: functions to assign to a class's `wait_time`.

Each returns a function that takes the instance (User or TaskSet) and gives seconds. None of them sleeps.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from time import perf_counter
from typing import Protocol


class Paced(Protocol):
    """What `constant_pacing` remembers on the instance that waits."""

    _cp_last_run: float
    _cp_last_wait_time: float


def between(min_wait: float, max_wait: float) -> Callable[[object], float]:
    """Waits a random time, uniform between two numbers of seconds."""
    return lambda instance: min_wait + random.random() * (max_wait - min_wait)


def constant(wait_time: float) -> Callable[[object], float]:
    """Waits always the same number of seconds."""
    return lambda instance: wait_time


def constant_pacing(wait_time: float) -> Callable[[Paced], float]:
    """Waits what is left of `wait_time` seconds after the task, so that tasks start that far apart.

    A task that takes longer is followed by the next one at once; lost time is not made up for.
    """

    def remaining_wait(instance: Paced) -> float:
        now = perf_counter()
        task_duration = now - instance._cp_last_run - instance._cp_last_wait_time
        instance._cp_last_wait_time = max(0.0, wait_time - task_duration)
        instance._cp_last_run = now
        return instance._cp_last_wait_time

    return remaining_wait


def constant_throughput(task_runs_per_second: float) -> Callable[[Paced], float]:
    """Waits so that each user runs at most this many tasks per second; the inverse of `constant_pacing`.

    Raises ValueError when the rate is not positive.
    """
    if task_runs_per_second <= 0:
        raise ValueError(f"constant_throughput() requires a positive rate, got: {task_runs_per_second}")
    return constant_pacing(1 / task_runs_per_second)


def poisson(rate: float) -> Callable[[object], float]:
    """Waits exponentially distributed times with a mean of `1/rate` seconds: a Poisson process of tasks.

    Raises ValueError when the rate is not positive.
    """
    if rate <= 0:
        raise ValueError(f"poisson() requires a positive rate, got: {rate}")
    return lambda instance: random.expovariate(rate)
