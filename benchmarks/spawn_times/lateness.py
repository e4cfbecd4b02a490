"""How far from its due time each user started. Pure.

The k-th user to arrive is compared with the k-th due time: of all ways to pair them that is the one with the
smallest largest error, so it can hide no error that matters and invents none when two neighbours swap.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000

FITTED_SHARE = Fraction(95, 100)
"""The part of the users whose largest error the best-fitting offset makes smallest: what the bar looks at."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A master said "the run is `elapsed_ms` old" (rounded down) between these two moments."""

    asked_ns: int
    elapsed_ms: int
    answered_ns: int


@dataclass(frozen=True, slots=True)
class RunStart:
    """Run time zero on the monotonic clock, give or take `error_ns`."""

    at_ns: int
    error_ns: int


def run_start(sightings: Iterable[Sighting]) -> RunStart:
    """Run time zero that all sightings agree with; each brackets it, together they do so closely.

    Raises ValueError when they contradict each other or none was made during the run.
    """
    during = [sighting for sighting in sightings if sighting.elapsed_ms > 0]
    if not during:
        raise ValueError("no sighting of the run")
    earliest = max(each.asked_ns - (each.elapsed_ms + 1) * NS_PER_MS for each in during)
    latest = min(each.answered_ns - each.elapsed_ms * NS_PER_MS for each in during)
    if earliest > latest:
        raise ValueError(f"sightings contradict each other by {earliest - latest} ns")
    return RunStart(at_ns=(earliest + latest) // 2, error_ns=(latest - earliest + 1) // 2)


def due_ns(index: int, spawn_rate: Fraction) -> int:
    """When the user of this index (from 0) is due, in ns from the start of the ramp."""
    return round(index * NS_PER_S / spawn_rate)


def best_start_ns(arrivals_ns: Sequence[int], spawn_rate: Fraction) -> int:
    """The start of a ramp for which 95 % of the users have the smallest largest error.

    `arrivals_ns` is in order of time and not empty.
    """
    starts = sorted(at_ns - due_ns(index, spawn_rate) for index, at_ns in enumerate(arrivals_ns))
    size = math.ceil(len(starts) * FITTED_SHARE)
    first = min(range(len(starts) - size + 1), key=lambda low: starts[low + size - 1] - starts[low])
    return (starts[first] + starts[first + size - 1]) // 2


def errors_ms(arrivals_ns: Sequence[int], *, start_ns: int, spawn_rate: Fraction) -> list[float]:
    """Arrival minus due time of each user, in ms, in order of time; below 0 is too early."""
    return [
        (at_ns - start_ns - due_ns(index, spawn_rate)) / NS_PER_MS for index, at_ns in enumerate(arrivals_ns)
    ]


@dataclass(frozen=True, slots=True)
class Spread:
    """Absolute errors in ms; `within_25_ms` is a share from 0 to 1."""

    users: int
    median_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    earliest_ms: float
    """Signed: the user furthest ahead of its due time."""
    within_25_ms: float


def spread_of(errors: Sequence[float]) -> Spread:
    """Summarise signed errors in ms; there is at least one."""
    sizes = sorted(abs(error) for error in errors)
    median, p95, p99 = (sizes[math.ceil(len(sizes) * share) - 1] for share in (0.5, 0.95, 0.99))
    return Spread(
        users=len(sizes),
        median_ms=round(median, 2),
        p95_ms=round(p95, 2),
        p99_ms=round(p99, 2),
        max_ms=round(sizes[-1], 2),
        earliest_ms=round(min(errors), 2),
        within_25_ms=round(sum(size <= 25 for size in sizes) / len(sizes), 4),
    )
