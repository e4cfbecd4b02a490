"""Who runs what, and the single changes that lead from one such placement to another: data only.

Pure: it must never decide anything; what should run where is decided by its neighbours.
"""

from collections.abc import Mapping
from dataclasses import dataclass

# Worker → user class → users.
Placement = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class WorkerCapacity:
    """A worker and how many runners it has; its fair share of the users is by runners."""

    worker: str
    runners: int


@dataclass(frozen=True, slots=True)
class Step:
    """At `due_us` (µs on the run's timeline) `worker` starts (+1) or stops (-1) one user of `user_class`."""

    due_us: int
    worker: str
    user_class: str
    change: int


def users_in(placement: Placement) -> int:
    """Return how many users run in all."""
    return sum(sum(by_class.values()) for by_class in placement.values())
