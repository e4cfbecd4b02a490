"""What really happened, as the target knows it: each sample, when it was taken, what died with whom.

Each sample has a number of its own, which its request name and its response time spell out: so what the
master has counted says not only how many samples there are, but which ones.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from locust_master.merging.totals import RunTotals
from locust_protocol.histogram import MAX_BUCKET_INDEX, bucket_bounds

NAMES = 3
"""Request names; the number of samples that can be told apart is that times the buckets of a histogram."""

MAX_SAMPLES = NAMES * MAX_BUCKET_INDEX

FAILED = 7
"""Every so many samples one failed."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One request: where and when it ended. `at_ns` is true time."""

    number: int
    at_ns: int
    epoch: int
    worker: bytes
    runner: str

    @property
    def name(self) -> str:
        return f"/{self.number % NAMES}"

    @property
    def response_us(self) -> int:
        return bucket_bounds(self.number // NAMES)[0]

    @property
    def is_failed(self) -> bool:
        return self.number % FAILED == 0


@dataclass
class Truth:
    """All samples of a run."""

    samples: list[Sample] = field(default_factory=list)
    died_with_runner: dict[int, str] = field(default_factory=dict)
    """Samples that a runner had in hand when it died, with its name."""

    user_data: int = 0
    """Entries that listeners added to reports; they are numbered from 1."""

    def next_user_data(self) -> int:
        """A listener adds an entry to a report."""
        self.user_data += 1
        return self.user_data

    def take(self, *, at_ns: int, epoch: int, worker: bytes, runner: str) -> Sample | None:
        """A request ends now; None when no more can be told apart."""
        if len(self.samples) >= MAX_SAMPLES:
            return None
        sample = Sample(len(self.samples), at_ns, epoch, worker, runner)
        self.samples.append(sample)
        return sample


def counted(totals: RunTotals) -> Counter[int]:
    """Returns the numbers of the samples in the epoch that is shown, and how often each was counted."""
    numbers: Counter[int] = Counter()
    for row in totals.series:
        place = int(row.key.name[1:])
        for histogram in (row.sums.successful, row.sums.failed):
            for bucket, times in histogram.counts.items():
                if times:
                    numbers[bucket * NAMES + place] += times
    return numbers
