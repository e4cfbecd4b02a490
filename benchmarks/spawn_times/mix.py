"""How far users by class are from their ideal share, at each moment that the target sees one come or go.

Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from benchmarks.spawn_times.arrivals import Arrival, Moment


@dataclass(frozen=True, slots=True)
class MixError:
    """After one arrival: users in all, and the largest distance of a class from its share, in users."""

    at_ns: int
    users: int
    error_users: float


def mix_errors(arrivals: Iterable[Arrival], weights: Mapping[str, float]) -> list[MixError]:
    """The mix error after each arrival, in order of time.

    Raises ValueError for a class that has no weight.
    """
    total_weight = sum(weights.values())
    running: Counter[str] = Counter()
    found = []
    for arrival in sorted(arrivals, key=lambda each: each.at_ns):
        if arrival.user_class not in weights:
            raise ValueError(f"class {arrival.user_class} has no weight")
        running[arrival.user_class] += 1 if arrival.moment is Moment.STARTED else -1
        users = running.total()
        error = max(abs(running[name] - users * weight / total_weight) for name, weight in weights.items())
        found.append(MixError(arrival.at_ns, users, error))
    return found
