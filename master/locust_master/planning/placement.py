"""Who runs what, and the single changes that lead from one such placement to another: data only.

Pure: it must never decide anything; what should run where is decided by its neighbours.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import count

# Worker → user class → users.
Placement = Mapping[str, Mapping[str, int]]

US_PER_S = 1_000_000


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


def due_times(*, start_us: int, spawn_rate: float) -> Iterator[int]:
    """Yield `start_us + k / spawn_rate` for k = 0, 1, ..., each rounded on its own to a microsecond.

    The rate is taken as it is written in decimal (0.1 is a tenth), and k is multiplied before anything is
    rounded, so the last user of a long ramp is as exact as the first. Raises ValueError for a rate that is
    not a finite number above 0.
    """
    rate = _exact_rate(spawn_rate)
    step, parts = US_PER_S * rate.denominator, rate.numerator
    return (start_us + (2 * k * step + parts) // (2 * parts) for k in count())


def interval_us(spawn_rate: float) -> int:
    """Return the time between two steps at `spawn_rate` users per second, rounded up to a microsecond."""
    rate = _exact_rate(spawn_rate)
    return -(-US_PER_S * rate.denominator // rate.numerator)


def _exact_rate(spawn_rate: float) -> Fraction:
    if not 0 < spawn_rate < float("inf"):
        raise ValueError(f"a spawn rate must be a finite number above 0, not {spawn_rate!r}")
    return Fraction(str(spawn_rate))
