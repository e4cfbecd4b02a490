"""What the target saw: the target as a process, and its notes as data."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.support.target import TargetProcess

PROGRAM = Path(__file__).with_name("truth_target.py")


class Arrival(NamedTuple):
    """One request at the target; `at_s` is monotonic, the same clock for all processes of the machine."""

    at_s: float
    path: str
    runner: str
    user: str


@dataclass(frozen=True, slots=True)
class Truth:
    """All requests that arrived, in order."""

    arrivals: tuple[Arrival, ...]

    @classmethod
    def of_notes(cls, text: str | bytes) -> Truth:
        """Reads what the target's `/_truth` gives."""
        notes = json.loads(text)
        paths, users = notes["paths"], notes["users"]
        return cls(
            tuple(
                Arrival(at_s, paths[path], users[user].rpartition("-")[0], users[user])
                for at_s, path, user in notes["arrivals"]
            )
        )

    def counts(self) -> Counter[tuple[str, str]]:
        """Requests by path and runner."""
        return Counter((arrival.path, arrival.runner) for arrival in self.arrivals)

    def users(self) -> set[str]:
        """Everybody who made a request."""
        return {arrival.user for arrival in self.arrivals}

    def seconds_since(self, known: int) -> float:
        """Seconds from the first request that was not among the first `known` ones to the last of all."""
        new = self.arrivals[known:]
        return new[-1].at_s - new[0].at_s if new else 0.0

    def last_of(self, runner: str, count: int) -> tuple[Arrival, ...]:
        """The last `count` requests of a runner."""
        own = [arrival for arrival in self.arrivals if arrival.runner == runner]
        return tuple(own[len(own) - count :])

    def requests_between(self, start_s: float, end_s: float) -> int:
        """Requests that arrived in a stretch of time."""
        return sum(start_s <= arrival.at_s < end_s for arrival in self.arrivals)

    def users_over_time(self) -> Iterator[tuple[float, int]]:
        """Yields each moment at which a user comes or goes, and how many there are then.

        A user is there from its first request to its last; of two changes at one moment the coming is first.
        """
        first: dict[str, float] = {}
        last: dict[str, float] = {}
        for arrival in self.arrivals:
            first.setdefault(arrival.user, arrival.at_s)
            last[arrival.user] = arrival.at_s
        changes = [(at_s, -1) for at_s in first.values()] + [(at_s, 1) for at_s in last.values()]
        users = 0
        for at_s, change in sorted(changes):
            users -= change
            yield at_s, users


def smallest_rate(truth: Truth, spans: Iterable[tuple[float, float]], *, window_s: float) -> float | None:
    """The fewest requests per second in any window of these spans; None when no window fits."""
    rates = []
    for start_s, end_s in spans:
        windows = int((end_s - start_s) / window_s)
        rates += [
            truth.requests_between(start_s + i * window_s, start_s + (i + 1) * window_s) / window_s
            for i in range(windows)
        ]
    return min(rates, default=None)


class TruthTarget(TargetProcess):
    """The target that notes every arrival, on a free port."""

    def __init__(self) -> None:
        super().__init__([sys.executable, PROGRAM])

    def truth(self) -> Truth:
        """All that arrived so far."""
        return Truth.of_notes(self.fetch("/_truth"))
