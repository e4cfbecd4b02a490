"""When the master was away."""

from __future__ import annotations

import threading


class Outages:
    """Stretches of monotonic time; noted by one thread, asked by others."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: list[tuple[float, float]] = []

    def begin(self, at_s: float) -> None:
        """The master goes; until `end` it counts as away."""
        with self._lock:
            self._spans.append((at_s, float("inf")))

    def end(self, at_s: float) -> None:
        """It is back, and all is as before."""
        with self._lock:
            self._spans[-1] = (self._spans[-1][0], at_s)

    def overlap(self, start_s: float, end_s: float) -> bool:
        """Whether it was away at any moment between these."""
        with self._lock:
            return any(start <= end_s and start_s <= end for start, end in self._spans)

    def spans(self) -> list[tuple[float, float]]:
        """All of them."""
        with self._lock:
            return list(self._spans)
