"""The one report of a run that every format shows: rows, failures, exceptions, seconds, and what is amiss.

All formats are written from it, so that no two of them disagree. Times of requests are in µs here; formats
turn them into the milliseconds that users know. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from locust_master.merging.history import SHARES, Figures, Second
from locust_master.merging.series import SeriesTotals
from locust_master.merging.totals import RunTotals
from locust_master.run import Run
from locust_master.run_summary import (
    loss_sentences,
    names_limited_sentence,
    resumed_sentences,
    trouble_sentences,
)
from locust_protocol.histogram import Histogram
from locust_protocol.v1 import report_pb2

AGGREGATED = "Aggregated"
"""Name of the row over all requests."""


@dataclass(frozen=True, slots=True)
class ReportRow:
    """Statistics of one series; seconds count from the run's start, `quantiles_us` goes with SHARES."""

    request_type: str
    name: str
    requests: int
    failures: int
    untimed: int
    response_bytes: int
    timed: Histogram
    quantiles_us: tuple[float | None, ...]
    current_rps: float
    current_failures_per_second: float
    total_rps: float
    total_failures_per_second: float
    first_ms: int | None
    last_ms: int | None
    requests_by_second: dict[int, int] = field(default_factory=dict)
    failures_by_second: dict[int, int] = field(default_factory=dict)

    @property
    def failure_share(self) -> float:
        """Failed requests among all, from 0 to 1."""
        return self.failures / self.requests if self.requests else 0.0

    @property
    def median_us(self) -> float:
        """Median response time; 0 without one."""
        return self.quantiles_us[0] or 0.0

    @property
    def mean_us(self) -> float:
        """Mean response time; 0 without one."""
        return self.timed.mean_us or 0.0

    @property
    def mean_bytes(self) -> float:
        """Mean size of a response body in bytes."""
        return self.response_bytes / self.requests if self.requests else 0.0


@dataclass(frozen=True, slots=True)
class ReportFailure:
    """One kind of failed request."""

    request_type: str
    name: str
    message: str
    origin: report_pb2.ErrorOrigin.ValueType
    count: int
    first_ms: int
    last_ms: int


@dataclass(frozen=True, slots=True)
class ReportException:
    """One kind of exception of user code."""

    message: str
    traceback: str
    count: int
    workers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReportSecond:
    """One second of the run, and all requests up to its end."""

    start_ms: int
    users: int
    requests: int
    failures: int
    quantiles_us: tuple[float | None, ...]
    until_end: Figures


@dataclass(frozen=True, slots=True)
class FinalReport:
    """A run's report at one moment. `seconds` is empty unless asked for."""

    started_wall_ms: int
    elapsed_ms: int
    rows: tuple[ReportRow, ...]
    aggregated: ReportRow
    failures: tuple[ReportFailure, ...]
    exceptions: tuple[ReportException, ...]
    interrupted: int
    losses: tuple[str, ...]
    generator: tuple[str, ...]
    troubles: tuple[str, ...] = ()
    """Says which runners were blocked or died."""
    resumed: tuple[str, ...] = ()
    """Says when the master was away."""
    limited: str = ""
    """Says that request names ran over their limit; empty when they did not."""
    seconds: tuple[ReportSecond, ...] = ()

    def wall_s(self, run_ms: int) -> float:
        """Seconds since 1970 at a run time in ms; for display."""
        return (self.started_wall_ms + run_ms) / 1_000


def make_report(run: Run, *, now_ns: int, with_seconds: bool = False) -> FinalReport:
    """Returns the report of a run as it is now; rows in the order of their names."""
    totals = run.totals
    until_ms = totals.complete_until_ms()
    rows = [
        _row(totals, row, until_ms, name=row.key.name)
        for row in totals.series
        if row.key.kind == report_pb2.SERIES_KIND_REQUEST and row.sums.requests
    ]
    rows.sort(key=lambda row: (row.name, row.request_type))
    return FinalReport(
        started_wall_ms=run.record.started_wall_ms,
        elapsed_ms=run.now_us(now_ns) // 1_000,
        rows=tuple(rows),
        aggregated=_row(totals, totals.total, until_ms, name=AGGREGATED),
        failures=_failures(totals),
        exceptions=_exceptions(totals),
        interrupted=totals.interrupted_count,
        losses=tuple(loss_sentences(run)),
        generator=tuple(run.generator.worst_sentences(median_us=run.median_us())),
        troubles=tuple(trouble_sentences(run)),
        resumed=tuple(resumed_sentences(run)),
        limited=names_limited_sentence(run) if totals.series.is_limited else "",
        seconds=tuple(_second(*each) for each in totals.history.with_totals()) if with_seconds else (),
    )


def _row(totals: RunTotals, row: SeriesTotals, until_ms: int, *, name: str) -> ReportRow:
    sums = row.sums
    rps, failures_per_second = totals.current_rates(row, until_ms)
    total_rps, total_failures_per_second = totals.total_rates(row)
    return ReportRow(
        request_type=row.key.request_type,
        name=name,
        requests=sums.requests,
        failures=sums.failures,
        untimed=sums.untimed,
        response_bytes=sums.response_bytes,
        timed=sums.timed().copy(),
        quantiles_us=tuple(row.quantiles_us(SHARES)),
        current_rps=rps,
        current_failures_per_second=failures_per_second,
        total_rps=total_rps,
        total_failures_per_second=total_failures_per_second,
        first_ms=row.first_ms,
        last_ms=row.last_ms,
        requests_by_second=row.timeline.requests(),
        failures_by_second=row.timeline.failures(),
    )


def _failures(totals: RunTotals) -> tuple[ReportFailure, ...]:
    found = [
        ReportFailure(
            request_type=row.kind.request_type,
            name=row.kind.name,
            message=row.kind.message,
            origin=row.kind.origin,
            count=row.count,
            first_ms=row.first_ms or 0,
            last_ms=row.last_ms or 0,
        )
        for row in totals.errors
        if row.count
    ]
    return tuple(sorted(found, key=lambda each: (each.name, each.request_type, each.message)))


def _exceptions(totals: RunTotals) -> tuple[ReportException, ...]:
    names = totals.worker_names
    found = [
        ReportException(
            message=row.kind.message,
            traceback=row.kind.traceback,
            count=row.count,
            workers=tuple(sorted(names[key] for key in row.by_worker)),
        )
        for row in totals.exceptions
        if row.count
    ]
    return tuple(sorted(found, key=lambda each: -each.count))


def _second(second: Second, until_end: Figures) -> ReportSecond:
    values = second.quantiles_us()
    return ReportSecond(
        start_ms=second.start_ms,
        users=second.users,
        requests=second.requests,
        failures=second.failures,
        quantiles_us=tuple(values.get(share) for share in SHARES),
        until_end=until_end,
    )
