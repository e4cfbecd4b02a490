"""The one report that every format shows: a run's numbers at one moment, in the units of Locust's users.

Pure. It must never format: how a number looks is each format's own.
"""

from __future__ import annotations

from dataclasses import dataclass

from locust_master.merging.history import Figures, Second
from locust_master.merging.series import SeriesTotals
from locust_master.run import Run
from locust_master.run_summary import loss_sentences
from locust_protocol.histogram import bucket_midpoint_us

PERCENTILES = (0.5, 0.66, 0.75, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 0.9999, 1.0)
"""Shares that tables show, as Locust's do."""


@dataclass(frozen=True, slots=True)
class Row:
    """One request name, or all together. Times in ms, None where no request had one; sizes in bytes."""

    request_type: str
    name: str
    requests: int
    failures: int
    untimed: int
    interrupted: int
    mean_ms: float | None
    min_ms: float | None
    max_ms: float | None
    total_ms: float
    percentiles_ms: tuple[float | None, ...]
    content_bytes: int
    requests_per_s: float
    failures_per_s: float
    current_requests_per_s: float
    current_failures_per_s: float
    first_ms: int
    last_ms: int
    requests_by_second: dict[int, int]
    failures_by_second: dict[int, int]
    times_us: dict[float, int]

    @property
    def median_ms(self) -> float | None:
        """The 50th percentile."""
        return self.percentiles_ms[0]

    @property
    def mean_bytes(self) -> float:
        """Mean size of a response body."""
        return self.content_bytes / self.requests if self.requests else 0.0

    @property
    def failure_share(self) -> float:
        """Failed requests as a share from 0 to 1."""
        return self.failures / self.requests if self.requests else 0.0


@dataclass(frozen=True, slots=True)
class Failure:
    """One kind of failed request; times on the run's timeline."""

    request_type: str
    name: str
    message: str
    count: int
    first_ms: int
    last_ms: int


@dataclass(frozen=True, slots=True)
class UserException:
    """One kind of exception that user code raised."""

    message: str
    traceback: str
    count: int
    workers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A run's numbers."""

    rows: tuple[Row, ...]
    total: Row
    failures: tuple[Failure, ...]
    exceptions: tuple[UserException, ...]
    history: tuple[tuple[Second, Figures], ...]
    interrupted: int
    lost: tuple[str, ...]
    started_wall_ms: int


def make_report(run: Run) -> Report:
    """Reads the numbers off a run."""
    totals = run.totals
    complete_ms = totals.complete_until_ms()
    rows = [_row(run, row, complete_ms, _names(run, row)) for row in totals.series if not row.sums.is_empty]
    return Report(
        rows=tuple(sorted(rows, key=lambda row: (row.name, row.request_type))),
        total=_row(run, totals.total, complete_ms, ("", "Aggregated")),
        failures=tuple(
            Failure(
                request_type=row.kind.request_type,
                name=row.kind.name,
                message=row.kind.message,
                count=row.count,
                first_ms=row.first_ms or 0,
                last_ms=row.last_ms or 0,
            )
            for row in totals.errors
            if row.count
        ),
        exceptions=tuple(
            UserException(
                message=row.kind.message,
                traceback=row.kind.traceback,
                count=row.count,
                workers=tuple(sorted(totals.worker_names[key] for key in row.by_worker)),
            )
            for row in totals.exceptions
            if row.count
        ),
        history=tuple(totals.history.with_totals()),
        interrupted=totals.interrupted_count,
        lost=tuple(loss_sentences(run)),
        started_wall_ms=run.record.started_wall_ms,
    )


def _names(run: Run, row: SeriesTotals) -> tuple[str, str]:
    definition = run.totals.series.definition(row)
    return definition.request_type, definition.name


def _row(run: Run, row: SeriesTotals, complete_ms: int, names: tuple[str, str]) -> Row:
    sums, timed = row.sums, row.sums.timed()
    requests_per_s, failures_per_s = run.totals.total_rates(row)
    current_requests, current_failures = run.totals.current_rates(row, complete_ms)
    return Row(
        request_type=names[0],
        name=names[1],
        requests=sums.requests,
        failures=sums.failures,
        untimed=sums.untimed,
        interrupted=sums.interrupted,
        mean_ms=_ms(timed.mean_us),
        min_ms=timed.min_us / 1_000 if timed.count else None,
        max_ms=timed.max_us / 1_000 if timed.count else None,
        total_ms=timed.total_us / 1_000,
        percentiles_ms=tuple(_ms(value) for value in row.quantiles_us(PERCENTILES)),
        content_bytes=sums.response_bytes,
        requests_per_s=requests_per_s,
        failures_per_s=failures_per_s,
        current_requests_per_s=current_requests,
        current_failures_per_s=current_failures,
        first_ms=row.first_ms or 0,
        last_ms=row.last_ms or 0,
        requests_by_second=row.timeline.requests(),
        failures_by_second=row.timeline.failures(),
        times_us={bucket_midpoint_us(bucket): count for bucket, count in timed.counts.items()},
    )


def _ms(value_us: float | None) -> float | None:
    return None if value_us is None else value_us / 1_000
