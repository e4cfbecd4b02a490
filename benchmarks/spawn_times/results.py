"""From what the target saw to rows and figures. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from fractions import Fraction
from itertools import groupby

from benchmarks.spawn_times.arrivals import Arrival, Moment, times_of
from benchmarks.spawn_times.lateness import (
    NS_PER_MS,
    Spread,
    best_start_ns,
    due_ns,
    errors_ms,
    spread_of,
)
from benchmarks.spawn_times.mix import mix_errors
from benchmarks.spawn_times.record import Start
from benchmarks.spawn_times.scenario import WEIGHTS, Observation


def starts_of(side: str, number: int, observed: Observation, spawn_rate: Fraction) -> list[Start]:
    """A row for each user of the ramp up; time counts from the run's start, or from the best-fitting one."""
    times = times_of(observed.starts, Moment.STARTED)
    start_ns = best_start_ns(times, spawn_rate) if observed.start is None else observed.start.at_ns
    return [
        Start(
            side=side,
            round=number,
            user_class=each.user_class,
            worker=each.worker,
            due_ms=due_ns(index, spawn_rate) / NS_PER_MS,
            arrived_ms=(each.at_ns - start_ns) / NS_PER_MS,
        )
        for index, each in enumerate(observed.starts)
    ]


def summary_of(starts: Sequence[Start]) -> dict[str, float]:
    """Spread of the errors in ms, and the largest mix error in users."""
    spread = spread_of([each.error_ms for each in starts])
    return {**asdict(spread), "mix_error_users": round(max(largest_mix_errors(starts)), 2)}


def largest_mix_errors(starts: Sequence[Start]) -> list[float]:
    """The largest mix error of each round of one side, in users."""
    rows = sorted(starts, key=lambda each: (each.round, each.arrived_ms))
    return [
        max(error.error_users for error in mix_errors(map(as_arrival, of_round), WEIGHTS))
        for _, of_round in groupby(rows, key=lambda each: each.round)
    ]


def as_arrival(start: Start) -> Arrival:
    """The arrival that the row was made of, its time from the start of the ramp."""
    at_ns = round(start.arrived_ms * NS_PER_MS)
    return Arrival(at_ns, Moment.STARTED, start.user_class, start.worker)


def fitted_stops(stops: Sequence[Arrival], spawn_rate: Fraction) -> Spread:
    """Spread of the stops of a ramp down, whose start nobody says exactly: the best-fitting one is taken."""
    times = times_of(stops, Moment.STOPPED)
    start_ns = best_start_ns(times, spawn_rate)
    return spread_of(errors_ms(times, start_ns=start_ns, spawn_rate=spawn_rate))
