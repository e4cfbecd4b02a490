"""How long the cluster took to be whole again, by kind of fault; and what never was."""

from __future__ import annotations

import statistics
import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RecoveryTimes:
    """Of one kind of fault."""

    count: int
    median_s: float
    max_s: float


class Recoveries:
    """Filled by several threads."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self._lock = threading.Lock()
        self._seconds: dict[str, list[float]] = {}

    def note(self, kind: str, seconds: float) -> None:
        """One recovery."""
        with self._lock:
            self._seconds.setdefault(kind, []).append(seconds)

    def fail(self, sentence: str) -> None:
        """Something that did not come about in time."""
        with self._lock:
            self.failures.append(sentence)

    def by_kind(self) -> dict[str, RecoveryTimes]:
        """All that were noted."""
        with self._lock:
            return {
                kind: RecoveryTimes(len(seconds), statistics.median(seconds), max(seconds))
                for kind, seconds in sorted(self._seconds.items())
            }
