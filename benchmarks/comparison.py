"""Two sides in turns, as numbers: ratios with their spread. Pure; what runs them is passed in."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass

DISTURBED_BELOW = 0.8
"""A side that got less of its core than this shared it with strangers; its rate says little."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one side: requests per second, and the share of its core that it got (0 to 1)."""

    rate_per_s: float
    core_share: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours over theirs. `ratio` is the median over rounds of the quotient within the round."""

    name: str
    ratio: float
    ratio_min: float
    ratio_max: float
    bar: float
    meets_bar: bool
    ours_per_s: float
    theirs_per_s: float
    ours_rates_per_s: tuple[float, ...]
    theirs_rates_per_s: tuple[float, ...]
    ours_core_share: float
    theirs_core_share: float
    disturbed: bool
    rounds: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """A measurement that this machine cannot make, and why."""

    name: str
    skipped: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A measurement that went wrong: a result from it would be a lie."""

    name: str
    failed: str


Measurement = Ratio | Skipped | Failed


def compare(
    name: str, *, ours: Callable[[], Sample], theirs: Callable[[], Sample], rounds: int, bar: float
) -> Ratio:
    """Run `ours` and `theirs` in turns (A B A B …), so that a drift of the machine meets both alike."""
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    return ratio_of(name, pairs, bar=bar)


def ratio_of(name: str, pairs: Iterable[tuple[Sample, Sample]], *, bar: float) -> Ratio:
    """Summarise rounds of (ours, theirs); `pairs` holds at least one."""
    ours, theirs = zip(*pairs, strict=True)
    quotients = [mine.rate_per_s / other.rate_per_s for mine, other in zip(ours, theirs, strict=True)]
    shares = [statistics.median(sample.core_share for sample in side) for side in (ours, theirs)]
    ratio = statistics.median(quotients)
    return Ratio(
        name=name,
        ratio=round(ratio, 3),
        ratio_min=round(min(quotients), 3),
        ratio_max=round(max(quotients), 3),
        bar=bar,
        meets_bar=ratio >= bar,
        ours_per_s=round(statistics.median(sample.rate_per_s for sample in ours), 1),
        theirs_per_s=round(statistics.median(sample.rate_per_s for sample in theirs), 1),
        ours_rates_per_s=tuple(round(sample.rate_per_s, 1) for sample in ours),
        theirs_rates_per_s=tuple(round(sample.rate_per_s, 1) for sample in theirs),
        ours_core_share=round(shares[0], 2),
        theirs_core_share=round(shares[1], 2),
        disturbed=min(shares) < DISTURBED_BELOW,
        rounds=len(quotients),
    )


def rate_from_entries(entries: Iterable[Mapping[str, object]]) -> float:
    """Requests per second from the list that `--json` prints, ours or Locust's.

    Time runs from the earliest start of an entry to the last request. Raises ValueError when there is
    no request or when one failed: a failure is cheaper than an answer.
    """
    rows = list(entries)
    requests = sum(_number(row, "num_requests") for row in rows)
    failures = sum(_number(row, "num_failures") for row in rows)
    if requests == 0 or failures > 0:
        raise ValueError(f"{requests:.0f} requests, {failures:.0f} failures")
    start_s = min(_number(row, "start_time") for row in rows)
    end_s = max(_number(row, "last_request_timestamp") for row in rows)
    if end_s <= start_s:
        raise ValueError(f"no time passed: start_time={start_s} last_request_timestamp={end_s}")
    return requests / (end_s - start_s)


def as_line(measurement: Measurement) -> dict[str, object]:
    """The JSON object of a measurement."""
    return asdict(measurement)


def _number(row: Mapping[str, object], key: str) -> float:
    value = row.get(key)
    if not isinstance(value, int | float):
        raise ValueError(f"{key} is {value!r}, not a number")
    return value
