"""How far the master's monotonic clock is ahead of this machine's, estimated from exchanges of messages.

Of each exchange four times are known: sent here, received there, answered there, received here. The offset
follows if both ways took equally long; it is off by at most half the time that the message spent on the way.
So of the last sixteen exchanges the one with the shortest way counts.

Pure; wall clocks play no part.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

MAX_SAMPLES = 16
"""Exchanges that are remembered: a quarter of a minute at one a second, in which clocks drift by < 2 µs."""

MOVE_THRESHOLD_NS = 10_000_000
"""Nanoseconds beyond its uncertainty by which an estimate must differ for a run's timeline to follow it."""


@dataclass(frozen=True, slots=True)
class ClockEstimate:
    """Master clock minus ours is `offset_ns`, give or take `error_ns`."""

    offset_ns: int = 0
    error_ns: int = 0

    def is_off(self, used: ClockEstimate) -> bool:
        """True when `used` is so far from this one that what was computed with it should be corrected."""
        return abs(self.offset_ns - used.offset_ns) > MOVE_THRESHOLD_NS + self.error_ns


class ClockOffset:
    """The running estimate."""

    def __init__(self) -> None:
        self._samples: deque[ClockEstimate] = deque(maxlen=MAX_SAMPLES)

    def add(self, *, sent_ns: int, master_received_ns: int, master_sent_ns: int, received_ns: int) -> None:
        """Takes one exchange; the outer two times are ours. One that cannot be true is ignored."""
        way_ns = (received_ns - sent_ns) - (master_sent_ns - master_received_ns)
        if sent_ns == 0 or way_ns < 0:
            return
        offset_ns = ((master_received_ns - sent_ns) + (master_sent_ns - received_ns)) // 2
        self._samples.append(ClockEstimate(offset_ns, way_ns // 2))

    def forget(self) -> None:
        """Another master has another clock."""
        self._samples.clear()

    @property
    def estimate(self) -> ClockEstimate:
        """The best estimate; zero before the first exchange."""
        return min(self._samples, key=lambda sample: sample.error_ns, default=ClockEstimate())
