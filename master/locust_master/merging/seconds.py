"""Counts of requests over the seconds of a run, in bounded memory. Pure.

`RecentSeconds` knows the last two minutes second by second, for current rates and sparklines. `Timeline`
knows the whole run: second by second for an hour, then every two seconds for two hours, and so on; whatever
the resolution, its counts add up to all requests that it was told of.
"""

from __future__ import annotations

from array import array
from functools import lru_cache

SECOND_MS = 1_000

RING_SECONDS = 128
"""Seconds that `RecentSeconds` keeps: the last minute, and what workers may be behind."""

MAX_POINTS = 3_600
"""Points of one `Timeline`: an hour of seconds; 2,000 series then take 115 MB."""


class RecentSeconds:
    """Requests and failures by second, for the newest `RING_SECONDS` seconds."""

    __slots__ = ("_failures", "_requests", "_seconds")

    def __init__(self) -> None:
        self._seconds = array("q", [-1]) * RING_SECONDS
        self._requests = array("Q", [0]) * RING_SECONDS
        self._failures = array("Q", [0]) * RING_SECONDS

    def add(self, second: int, requests: int, failures: int) -> None:
        """Counts in a second of the run; one that is too old is ignored."""
        place = second % RING_SECONDS
        held = self._seconds[place]
        if held == second:
            self._requests[place] += requests
            self._failures[place] += failures
        elif held < second:
            self._seconds[place] = second
            self._requests[place] = requests
            self._failures[place] = failures

    def add_all(self, other: RecentSeconds) -> None:
        """Counts what another one counted."""
        for place, second in enumerate(other._seconds):
            if second >= 0:
                self.add(second, other._requests[place], other._failures[place])

    def requests(self, first: int, end: int) -> list[int]:
        """Returns the requests in each second from `first` up to and without `end`."""
        return [self._at(self._requests, second) for second in range(first, end)]

    def sums(self, first: int, end: int) -> tuple[int, int]:
        """Returns requests and failures from second `first` up to and without `end`."""
        start = first % RING_SECONDS
        stop = start + end - first
        if stop <= RING_SECONDS and self._seconds[start:stop] == _seconds(first, end):
            return sum(self._requests[start:stop]), sum(self._failures[start:stop])
        requests = failures = 0
        for second in range(first, end):
            requests += self._at(self._requests, second)
            failures += self._at(self._failures, second)
        return requests, failures

    def _at(self, column: array[int], second: int) -> int:
        place = second % RING_SECONDS
        return column[place] if self._seconds[place] == second else 0


class Timeline:
    """Requests and failures over the whole run, at most `MAX_POINTS` points."""

    __slots__ = ("_failures", "_requests", "width_s")

    def __init__(self) -> None:
        self.width_s = 1
        self._requests = array("Q")
        self._failures = array("Q")

    def add(self, second: int, requests: int, failures: int) -> None:
        """Counts in a second of the run; one before the run counts in its first."""
        second = max(0, second)
        while second // self.width_s >= MAX_POINTS:
            self._halve()
        point = second // self.width_s
        missing = point + 1 - len(self._requests)
        if missing > 0:
            self._requests.extend([0] * missing)
            self._failures.extend([0] * missing)
        self._requests[point] += requests
        self._failures[point] += failures

    def requests(self) -> dict[int, int]:
        """Returns requests by the second at which a point starts, without those that have none."""
        return self._filled(self._requests)

    def failures(self) -> dict[int, int]:
        """Returns failures by the second at which a point starts, without those that have none."""
        return self._filled(self._failures)

    def _filled(self, column: array[int]) -> dict[int, int]:
        return {point * self.width_s: count for point, count in enumerate(column) if count}

    def _halve(self) -> None:
        self.width_s *= 2
        self._requests = _joined(self._requests)
        self._failures = _joined(self._failures)


def dealt(count: int, parts: int) -> list[int]:
    """Deals a count to parts as evenly as whole numbers allow; the sum is the count."""
    return [count * (part + 1) // parts - count * part // parts for part in range(parts)]


@lru_cache(maxsize=64)
def _seconds(first: int, end: int) -> array[int]:
    return array("q", range(first, end))


def _joined(column: array[int]) -> array[int]:
    if len(column) % 2:
        column.append(0)
    return array("Q", (a + b for a, b in zip(column[::2], column[1::2], strict=True)))
