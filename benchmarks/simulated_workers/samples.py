"""What a simulated worker has to report: slices as a real agent packs them, made once, sent often.

Response times are log-normal around a median of their own for each series; a few requests fail. Pure but for
the seeded generator that is passed in.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

from locust_protocol.histogram import Histogram
from locust_protocol.histogram_messages import write_timed
from locust_protocol.v1 import report_pb2

FAILING_SHARE = 0.005
"""Requests that fail: few, as in a run that means something."""

ERROR_TEXTS = ("500 Server Error", "RemoteDisconnected", "timed out")

FIRST_MEDIAN_US, LAST_MEDIAN_US = 3_000, 400_000
"""Medians of the fastest and the slowest series."""

SIGMA = 0.8
"""Spread of the logarithms: the 99th percentile is six times the median."""

PREPARED_SLICES = 48
"""Slices that differ; a run of the bench sends each of them many times."""


@dataclass(frozen=True, slots=True)
class Load:
    """How much each worker measures."""

    series: int = 50
    samples_per_s: int = 20

    @property
    def per_second(self) -> int:
        """Samples of one worker in a second, over all series."""
        return self.series * self.samples_per_s


@dataclass(slots=True)
class _Row:
    successful: Histogram = field(default_factory=Histogram)
    failed: Histogram = field(default_factory=Histogram)
    response_bytes: int = 0


def definitions(load: Load) -> report_pb2.Report:
    """Returns a report of which only the names are set: series, and errors of the first ones."""
    message = report_pb2.Report()
    for number in range(1, load.series + 1):
        message.series.add(
            id=number,
            kind=report_pb2.SERIES_KIND_REQUEST,
            request_type="GET" if number % 3 else "POST",
            name=f"/shop/category/{number}/item",
        )
    for number, text in enumerate(ERROR_TEXTS, start=1):
        message.errors.add(
            id=number,
            series_id=number,
            origin=report_pb2.ERROR_ORIGIN_TARGET,
            message=f"{text} for url: /shop",
        )
    return message


def raw_seconds(load: Load, *, seed: int, seconds: int) -> list[list[list[tuple[int, bool]]]]:
    """Returns samples by second and series: response time in µs, and whether the request failed."""
    chance = random.Random(seed)
    ratio = LAST_MEDIAN_US / FIRST_MEDIAN_US
    logs = [
        math.log(FIRST_MEDIAN_US * ratio ** (number / max(1, load.series - 1)))
        for number in range(load.series)
    ]
    return [
        [
            [
                (round(chance.lognormvariate(log, SIGMA)), chance.random() < FAILING_SHARE)
                for _ in range(load.samples_per_s)
            ]
            for log in logs
        ]
        for _ in range(seconds)
    ]


def prepared_slices(load: Load, *, seed: int = 1) -> list[report_pb2.Slice]:
    """Returns slices of one second each, at run time zero, in the first epoch."""
    return [slice_of(second) for second in raw_seconds(load, seed=seed, seconds=PREPARED_SLICES)]


def slice_of(second: list[list[tuple[int, bool]]]) -> report_pb2.Slice:
    """Returns the samples of a second, by series, as the slice at run time zero."""
    rows, errors = [], [0] * len(ERROR_TEXTS)
    for number, samples in enumerate(second):
        row = _Row()
        for value_us, is_failed in samples:
            (row.failed if is_failed else row.successful).record(value_us)
            row.response_bytes += 2_000 + value_us % 1_000
            errors[number % len(errors)] += is_failed
        rows.append(row)
    occurred = [(number, count) for number, count in enumerate(errors, start=1) if count]
    return report_pb2.Slice(
        width_ms=1_000,
        stats_epoch=1,
        series_id=range(1, len(rows) + 1),
        requests=[row.successful.count + row.failed.count for row in rows],
        failures=[row.failed.count for row in rows],
        untimed=[0] * len(rows),
        interrupted=[0] * len(rows),
        response_bytes=[row.response_bytes for row in rows],
        successful=write_timed([row.successful for row in rows]),
        failed=write_timed([row.failed for row in rows]),
        error_id=[number for number, _ in occurred],
        error_count=[count for _, count in occurred],
    )
