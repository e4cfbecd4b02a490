"""The samples of one series as sums: counts, bytes, and the response times of successes and failures.

Sums add and subtract exactly, so whatever one worker contributed can be taken back as a whole, for what it
says now. Only a minimum or a maximum may be left at the edge of its bucket (`Histogram.subtract`); what
replaces the samples that were taken back holds them again, and so sets it right.

Pure. Must never share a histogram with the sums that it added.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from locust_protocol.histogram import Histogram


@dataclass(slots=True)
class Sums:
    """Sums of samples; the fields mean what the columns of `Slice` mean."""

    requests: int = 0
    failures: int = 0
    untimed: int = 0
    interrupted: int = 0
    response_bytes: int = 0
    successful: Histogram = field(default_factory=Histogram)
    failed: Histogram = field(default_factory=Histogram)

    def add(self, other: Sums) -> None:
        """Adds the samples of another series or slice."""
        self.requests += other.requests
        self.failures += other.failures
        self.untimed += other.untimed
        self.interrupted += other.interrupted
        self.response_bytes += other.response_bytes
        if other.successful.count:
            self.successful.add(other.successful)
        if other.failed.count:
            self.failed.add(other.failed)

    def subtract(self, other: Sums) -> None:
        """Takes samples away that were added before."""
        self.requests -= other.requests
        self.failures -= other.failures
        self.untimed -= other.untimed
        self.interrupted -= other.interrupted
        self.response_bytes -= other.response_bytes
        self.successful.subtract(other.successful)
        self.failed.subtract(other.failed)

    def clear(self) -> None:
        """Forgets all samples."""
        self.requests = self.failures = self.untimed = self.interrupted = self.response_bytes = 0
        self.successful.clear()
        self.failed.clear()

    def timed(self) -> Histogram:
        """Returns the response times of successes and failures together; not to be changed."""
        if not self.failed.count:
            return self.successful
        if not self.successful.count:
            return self.failed
        return self.successful.joined(self.failed)

    @property
    def is_empty(self) -> bool:
        """True when nothing was counted, not even an interrupted request."""
        return not (self.requests or self.interrupted)


@dataclass(slots=True)
class Counts:
    """Requests counted, in all epochs of a run together."""

    requests: int = 0
    failures: int = 0
    untimed: int = 0
    interrupted: int = 0

    def add(self, other: Sums | Counts, *, sign: int = 1) -> None:
        """Adds counts, or takes them away with `sign` -1."""
        self.requests += sign * other.requests
        self.failures += sign * other.failures
        self.untimed += sign * other.untimed
        self.interrupted += sign * other.interrupted
