"""What a target saw, as facts about users: who ran from when to when, where, and how many at once.

A user runs at the target from its first request to its last; it may have run a little longer, never shorter.
So a count of users above the plan is a real overshoot.
"""

from __future__ import annotations

import sys
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

from tests.support.netns import Host
from tests.support.processes import Command

SERVER = Path(__file__).parent / "witness_server.py"
START_DEADLINE_S = 60.0
ASK_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Life:
    """One user as the target saw it; times in seconds of the machine's monotonic clock."""

    host: str
    first_s: float
    last_s: float
    longest_pause_s: float

    def runs_at(self, at_s: float) -> bool:
        """True when its first request came before and its last one after."""
        return self.first_s <= at_s <= self.last_s


@dataclass(frozen=True, slots=True)
class Seen:
    """All that a target saw so far."""

    counts: dict[str, int]
    """Requests by path."""
    lives: Sequence[Life]

    def most_at_once(self, *, since_s: float = 0.0, until_s: float = float("inf")) -> int:
        """The most users that ran at one moment of a span."""
        changes = [(max(life.first_s, since_s), 1) for life in self._within(since_s, until_s)]
        changes += [(life.last_s, -1) for life in self._within(since_s, until_s)]
        return max(accumulate(step for _, step in sorted(changes, key=lambda c: (c[0], c[1]))), default=0)

    def least_at_once(self, *, since_s: float, until_s: float, step_s: float = 0.1) -> int:
        """The fewest users that ran at one of the moments looked at, every `step_s`."""
        moments = [since_s + i * step_s for i in range(int((until_s - since_s) / step_s) + 1)]
        return min(sum(life.runs_at(moment) for life in self.lives) for moment in moments)

    def on(self, host: str) -> list[Life]:
        """Users that ran on a host, in the order in which they started."""
        return sorted((life for life in self.lives if life.host == host), key=lambda life: life.first_s)

    def _within(self, since_s: float, until_s: float) -> list[Life]:
        return [life for life in self.lives if life.last_s >= since_s and life.first_s <= until_s]


class Witness:
    """The target as a process on a host of a network."""

    def __init__(self, host: Host) -> None:
        self.command = Command(host.inside(sys.executable, SERVER, host.address))
        self.url = ""

    def start(self) -> None:
        """Starts it and learns its address."""
        self.command.start()
        line = self.command.wait_for_line(r"^listening on (http://\S+)$", deadline_s=START_DEADLINE_S)
        self.url = line[1]

    def close(self) -> None:
        """Ends it."""
        self.command.close()

    def seen(self) -> Seen:
        """What came so far."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.url}/_log", timeout=ASK_TIMEOUT_S) as response:
            return read_log(response.read().decode())


def read_log(text: str) -> Seen:
    """Reads the lines that the server wrote."""
    counts: Counter[str] = Counter()
    times: dict[str, list[float]] = {}
    for line in text.splitlines():
        at_ms, path, user = line.split(" ")
        counts[path] += 1
        times.setdefault(user, []).append(int(at_ms) / 1000)
    return Seen(dict(counts), [_life(user, at_s) for user, at_s in times.items()])


def _life(user: str, at_s: list[float]) -> Life:
    pauses = (later - earlier for earlier, later in pairwise(at_s))
    return Life(user.partition("/")[0], at_s[0], at_s[-1], max(pauses, default=0.0))
