"""What the figures are drawn from: one row for each user that started, as text that can be kept.

Times are ms from the start of the side's ramp: the run's own for us, the best-fitting one for Locust.
Pure.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass

COLUMNS = ("side", "round", "user_class", "worker", "due_ms", "arrived_ms")


@dataclass(frozen=True, slots=True)
class Start:
    """One user's start."""

    side: str
    round: int
    user_class: str
    worker: int
    due_ms: float
    arrived_ms: float

    @property
    def error_ms(self) -> float:
        """Below 0: too early."""
        return self.arrived_ms - self.due_ms


def to_csv(starts: Iterable[Start]) -> str:
    """The rows with a line of column names in front; times to 0.01 ms."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in starts:
        times = (f"{each.due_ms:.2f}", f"{each.arrived_ms:.2f}")
        writer.writerow((each.side, each.round, each.user_class, each.worker, *times))
    return text.getvalue()


def from_csv(text: str) -> list[Start]:
    """The rows of `to_csv`. Raises ValueError for anything else."""
    reader = csv.reader(io.StringIO(text))
    if tuple(next(reader, ())) != COLUMNS:
        raise ValueError(f"the first line has to be {','.join(COLUMNS)}")
    return [
        Start(side, int(number), user_class, int(worker), float(due_ms), float(arrived_ms))
        for side, number, user_class, worker, due_ms, arrived_ms in reader
    ]
