"""What the target saw: users that started or stopped, each with its class, its worker and the moment.

Pure.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass


class Moment(enum.Enum):
    """What a user's request says."""

    STARTED = "started"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One user's request; `at_ns` is when the target had it, on the machine's monotonic clock."""

    at_ns: int
    moment: Moment
    user_class: str
    worker: int


def read_arrivals(rows: Iterable[tuple[int, str]]) -> list[Arrival]:
    """Arrivals in order of time, from pairs of a stamp and a path such as `/started/Reader/3`.

    Raises ValueError for a path that is none of these.
    """
    arrivals = []
    for at_ns, path in sorted(rows):
        _, moment, user_class, worker = path.split("/")
        arrivals.append(Arrival(at_ns, Moment(moment), user_class, int(worker)))
    return arrivals


def times_of(arrivals: Iterable[Arrival], moment: Moment) -> list[int]:
    """Stamps of the arrivals that say `moment`, in order of time."""
    return sorted(arrival.at_ns for arrival in arrivals if arrival.moment is moment)
