"""Tells when the load generator, and not the target, is what a run measures.

A runner whose loop is late, or whose core is full, records response times that are too long. A moment of that
means little, so it counts once it lasts. Pure; times are run time.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from locust_protocol.v1 import report_pb2

MAX_LAG_US = 5_000
"""Microseconds of lag (99th percentile) that are borne whatever the response times are."""

MAX_LAG_SHARE = 0.05
"""Lag that is borne as a share of the median response time."""

MAX_CPU_PERCENT = 90.0
"""Percent of its core that a runner may use; beyond it requests wait for the runner."""

LASTS_MS = 3_000
"""Milliseconds after which a strain is no moment any more."""


@dataclass(slots=True)
class _Strain:
    """Since when a figure of one runner has been too high; None while it is not."""

    since_ms: int | None = None
    until_ms: int = 0
    figure: float = 0.0

    def note(self, figure: float, *, limit: float, at_ms: int) -> None:
        if figure <= limit:
            self.since_ms = None
            return
        if self.since_ms is None:
            self.since_ms = at_ms
        self.until_ms, self.figure = at_ms, figure

    @property
    def lasts(self) -> bool:
        return self.since_ms is not None and self.until_ms - self.since_ms >= LASTS_MS


@dataclass(slots=True)
class _Runner:
    worker: str
    index: int
    lag: _Strain = field(default_factory=_Strain)
    cpu: _Strain = field(default_factory=_Strain)
    worst_lag_us: float = 0.0
    worst_cpu_percent: float = 0.0


class GeneratorWatch:
    """Lag and CPU of every runner of a run."""

    def __init__(self) -> None:
        self._runners: dict[tuple[str, int], _Runner] = {}
        self._strained: set[tuple[str, int]] = set()

    @property
    def is_strained(self) -> bool:
        """True while any runner is, of a worker that lives or not."""
        return bool(self._strained)

    def note(self, worker_key: str, worker_name: str, status: report_pb2.WorkerStatus, *, at_ms: int) -> None:
        """Takes a worker's status that arrived at a run time."""
        for said in status.runners:
            place = (worker_key, said.slot)
            runner = self._runners.get(place)
            if runner is None:
                runner = self._runners[place] = _Runner(worker_name, said.index)
            runner.lag.note(said.lag_p99_us, limit=MAX_LAG_US, at_ms=at_ms)
            runner.cpu.note(said.cpu_percent, limit=MAX_CPU_PERCENT, at_ms=at_ms)
            if runner.lag.lasts:
                runner.worst_lag_us = max(runner.worst_lag_us, runner.lag.figure)
            if runner.cpu.lasts:
                runner.worst_cpu_percent = max(runner.worst_cpu_percent, runner.cpu.figure)
            if runner.lag.lasts or runner.cpu.lasts:
                self._strained.add(place)
            else:
                self._strained.discard(place)

    def sentences(self, *, live_worker_keys: Collection[str], median_us: float | None) -> list[str]:
        """Says which runners of these workers are the bottleneck now, with the remedy."""
        return [
            sentence
            for place in sorted(self._strained)
            if place[0] in live_worker_keys
            for runner in (self._runners[place],)
            for sentence in _sentences(
                runner,
                lag_us=runner.lag.figure if runner.lag.lasts else 0.0,
                cpu_percent=runner.cpu.figure if runner.cpu.lasts else 0.0,
                median_us=median_us,
            )
        ]

    def worst_sentences(self, *, median_us: float | None) -> list[str]:
        """Says which runners were the bottleneck at any time of the run."""
        return [
            sentence
            for _, runner in sorted(self._runners.items())
            for sentence in _sentences(
                runner,
                lag_us=runner.worst_lag_us,
                cpu_percent=runner.worst_cpu_percent,
                median_us=median_us,
            )
        ]


def _sentences(runner: _Runner, *, lag_us: float, cpu_percent: float, median_us: float | None) -> list[str]:
    name = f"runner {runner.index} of {runner.worker}"
    found = []
    if lag_us > max(MAX_LAG_US, MAX_LAG_SHARE * (median_us or 0.0)):
        found.append(
            f"{name} is up to {lag_us / 1000:.0f} ms late, response times are overstated by that: "
            "use more runners or machines"
        )
    if cpu_percent > MAX_CPU_PERCENT:
        found.append(f"{name} uses {cpu_percent:.0f} % of its core: use more runners or machines")
    return found
