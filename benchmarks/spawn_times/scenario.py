"""What is asked of both sides, and what comes of it. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from benchmarks.spawn_times.arrivals import Arrival
from benchmarks.spawn_times.lateness import RunStart

WEIGHTS = {"Reader": 6, "Buyer": 6, "Admin": 2}
"""As in the locustfile."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A ramp from nothing to `users`."""

    name: str
    workers: int
    runners: int
    """Runners by worker; each of Locust's workers is one process."""
    users: int
    spawn_rate: Fraction

    @property
    def ramp_s(self) -> float:
        """Seconds that the ramp takes."""
        return float(self.users / self.spawn_rate)


@dataclass(frozen=True, slots=True)
class Observation:
    """One ramp of one side."""

    starts: list[Arrival]
    """Of the ramp up, in order of time."""
    stops: list[Arrival]
    """Of the ramp down, in order of time; empty when there was none."""
    start: RunStart | None
    """None when the side does not say when its run started."""
    busiest_runner: float
    """Share of a core that the busiest process with users got during the ramp, 0 to 1."""


class SideFailed(Exception):
    """A side did not do what was asked; the message holds its last words."""
