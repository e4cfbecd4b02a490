"""How late this process's loop wakes: the generator's report on itself.

A greenlet sleeps for a fixed time and measures by how much it overslept. That is what every simulated user
suffers too: a response that waits for the loop is measured too long by it. The same greenlet gives the pulse
that the watchdog looks at.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic_ns

import gevent

from locust_protocol.histogram import Histogram
from locust_runtime.run.watchdog import Pulse

SLEEP_S = 0.05
"""Seconds between two beats: 20 samples a second, at no measurable cost."""


@dataclass(frozen=True, slots=True)
class Lag:
    """Lag since it was last asked for, in µs; all 0 when there was no sample."""

    p50_us: int
    p99_us: int
    max_us: int


class LagMeter:
    """Measures from the moment it runs in a greenlet."""

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse
        self._histogram = Histogram()

    def run(self) -> None:
        """Measures for ever; to be spawned."""
        sleep_ns = int(SLEEP_S * 1e9)
        while True:
            started_ns = monotonic_ns()
            gevent.sleep(SLEEP_S)
            late_ns = monotonic_ns() - started_ns - sleep_ns
            self._histogram.record(max(0, late_ns // 1000))
            self._pulse.beat()

    def take(self) -> Lag:
        """Return what was measured since the last call, and start over."""
        histogram, self._histogram = self._histogram, Histogram()
        p50, p99 = histogram.quantiles_us((0.5, 0.99))
        return Lag(p50_us=round(p50 or 0), p99_us=round(p99 or 0), max_us=histogram.max_us)
