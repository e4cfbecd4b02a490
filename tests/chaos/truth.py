"""What the target saw: the target as a process, and its notes as data."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from tests.support.processes import Command

PROGRAM = Path(__file__).with_name("truth_target.py")
START_DEADLINE_S = 20.0
FETCH_DEADLINE_S = 30.0


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


class TruthTarget:
    """The target on a free port, for the length of a `with` block."""

    def __init__(self) -> None:
        self.command = Command([sys.executable, PROGRAM])
        self.url = ""

    def __enter__(self) -> Self:
        self.command.start()
        try:
            line = self.command.wait_for_line(r"^listening on (http://\S+)$", deadline_s=START_DEADLINE_S)
        except BaseException:
            self.command.close()
            raise
        self.url = line[1]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.command.__exit__(kind, error, traceback)

    def truth(self) -> Truth:
        """All that arrived so far."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url + "/_truth", timeout=FETCH_DEADLINE_S) as response:
            return Truth.of_notes(response.read())
