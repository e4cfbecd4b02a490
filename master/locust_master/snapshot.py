"""The merged view as a message: rows of statistics, all of them or those that changed. Pure.

A reader is given numbers, and the definition of a number once. Which series it gets is settled when they
first come: the busiest while there is room, the rest together in row 0, "(other)"; a row that was given once
stays, so that no count wanders between rows on a screen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from locust_master.merging.failures import ErrorKey, ExceptionKey, Occurrences
from locust_master.merging.history import Second
from locust_master.merging.seconds import SECOND_MS
from locust_master.merging.series import OTHER_ID, OTHER_KEY, SeriesTotals
from locust_master.merging.totals import RunTotals
from locust_protocol.v1 import snapshot_pb2

DEFAULT_QUANTILES = (0.5, 0.95, 0.99)
"""Percentiles of a row when a reader asks for none in particular."""

SECOND_QUANTILES = (0.5, 0.95, 0.99)
"""Percentiles of a second."""

DEFAULT_MAX_SERIES = 2_000

LAST_MINUTE_S = 60
"""Seconds of `SeriesRow.last_minute`."""

CONFIDENT_ABOVE = 10
"""Samples that must lie above a percentile for it to mean something."""

PART_ROWS = 10
"""Rows that are made in one go: some 2 ms."""

_MAX_UINT64 = (1 << 64) - 1
_MAX_UINT32 = (1 << 32) - 1


def fill_statistics(
    message: snapshot_pb2.Snapshot,
    totals: RunTotals,
    *,
    since_revision: int | None,
    quantiles: Sequence[float],
    max_series: int,
    history_seconds: int,
    described: set[int],
    complete_until_ms: int | None = None,
    complete_before_ms: int = 0,
) -> Iterator[None]:
    """Adds statistics to a snapshot, and yields wherever others may have their turn if nothing changes.

    `since_revision` None gives every row and `history_seconds` of history; else what changed after that
    revision of the totals, and the seconds that became complete after `complete_before_ms`, which is what
    `complete_until_ms` was then. `complete_until_ms` is the run time up to which all workers have reported;
    None takes it from the totals. `described` holds the series that this reader knows; new ones are added.
    """
    until_ms = totals.complete_until_ms() if complete_until_ms is None else complete_until_ms
    is_whole = since_revision is None
    since = -1 if since_revision is None else since_revision
    shares = tuple(quantiles)
    # Taken now: to ask the totals again would settle what comes meanwhile.
    series, total, history = totals.series, totals.total, totals.history
    shown, rest = _chosen(totals, max_series=max_series, described=described)
    for place, row in enumerate(shown):
        if place % PART_ROWS == PART_ROWS - 1:
            yield
        if is_whole or row.revision > since or _is_recent(row, complete_before_ms):
            given = message.series.add()
            _fill(given, totals, row, shares, until_ms)
            if row.id not in described:
                described.add(row.id)
                given.definition.CopyFrom(series.definition(row))
    if rest is not None:
        _fill(message.series.add(), totals, rest, shares, until_ms)
    if is_whole or totals.revision > since or _is_recent(total, complete_before_ms):
        _fill(message.total, totals, total, shares, until_ms)
    names = totals.worker_names
    message.errors.extend(
        _error_row(names, row) for row in totals.errors if _is_wanted(row, since, is_whole=is_whole)
    )
    message.exceptions.extend(
        _exception_row(names, row) for row in totals.exceptions if _is_wanted(row, since, is_whole=is_whole)
    )
    if history_seconds or not is_whole:
        first_ms = until_ms - history_seconds * SECOND_MS if is_whole else 0
        for second in history.between(first_ms, until_ms):
            if is_whole or second.revision > since or second.start_ms + SECOND_MS > complete_before_ms:
                message.history.append(history_point(second))
    yield


def series_row(
    totals: RunTotals, row: SeriesTotals, *, quantiles: Sequence[float], complete_until_ms: int
) -> snapshot_pb2.SeriesRow:
    """Returns one row without its definition."""
    message = snapshot_pb2.SeriesRow()
    _fill(message, totals, row, tuple(quantiles), complete_until_ms)
    return message


def history_point(second: Second) -> snapshot_pb2.HistoryPoint:
    """Returns one second of the run."""
    values = second.quantiles_us()
    return snapshot_pb2.HistoryPoint(
        start_ms=second.start_ms,
        width_ms=SECOND_MS,
        users=second.users,
        planned_users=second.planned_users,
        requests=second.requests,
        failures=second.failures,
        quantiles=[
            snapshot_pb2.Quantile(
                share=share,
                value_us=round(values[share]),
                low_confidence=second.requests * (1 - share) < CONFIDENT_ABOVE,
            )
            for share in SECOND_QUANTILES
            if share in values
        ],
    )


def _fill(
    message: snapshot_pb2.SeriesRow,
    totals: RunTotals,
    row: SeriesTotals,
    shares: tuple[float, ...],
    complete_until_ms: int,
) -> None:
    sums = row.sums
    message.id = row.id
    message.requests = sums.requests
    message.failures = sums.failures
    message.untimed = sums.untimed
    message.interrupted = sums.interrupted
    timed_count = sums.successful.count + sums.failed.count
    if timed_count:
        parts = [part for part in (sums.successful, sums.failed) if part.count]
        message.mean_us = round(sum(part.total_us for part in parts) / timed_count)
        message.min_us = min(part.min_us for part in parts)
        message.max_us = max(part.max_us for part in parts)
        for share, value in zip(shares, row.quantiles_us(shares), strict=True):
            if value is not None:
                is_low = timed_count * (1 - share) < CONFIDENT_ABOVE
                message.quantiles.add(share=share, value_us=round(value), low_confidence=is_low)
    if sums.requests:
        message.mean_bytes = min(round(sums.response_bytes / sums.requests), _MAX_UINT64)
    rates = totals.current_rates(row, complete_until_ms)
    message.current_rps, message.current_failures_per_second = rates
    message.total_rps, message.total_failures_per_second = totals.total_rates(row)
    end_s = complete_until_ms // SECOND_MS
    minute = row.recent.requests(max(0, end_s - LAST_MINUTE_S), end_s)
    message.last_minute.extend(min(count, _MAX_UINT32) for count in minute)


def _chosen(
    totals: RunTotals, *, max_series: int, described: set[int]
) -> tuple[list[SeriesTotals], SeriesTotals | None]:
    """Returns the rows to show, and one for all others when they do not fit."""
    counted = [row for row in totals.series if row.id in described or not row.sums.is_empty]
    if len(counted) <= max_series:
        return counted, None
    counted.sort(key=lambda row: (row.id in described, row.sums.requests), reverse=True)
    rest = SeriesTotals(OTHER_ID, OTHER_KEY)
    shown = []
    for place, row in enumerate(counted):
        if place < max_series and row.id != OTHER_ID:
            shown.append(row)
        else:
            _join(rest, row)
    return shown, rest


def _join(rest: SeriesTotals, row: SeriesTotals) -> None:
    rest.sums.add(row.sums)
    if row.first_ms is not None and row.last_ms is not None:
        rest.widen(row.first_ms, row.last_ms)
    rest.recent.add_all(row.recent)


def _is_recent(row: SeriesTotals, complete_until_ms: int) -> bool:
    """True while the row's last minute, and so its rates, still change without new samples."""
    return row.last_ms is not None and row.last_ms + (LAST_MINUTE_S + 1) * SECOND_MS >= complete_until_ms


def _is_wanted(row: Occurrences[ErrorKey] | Occurrences[ExceptionKey], since: int, *, is_whole: bool) -> bool:
    return bool(row.by_worker) if is_whole else row.revision > since


def _error_row(names: Mapping[str, str], row: Occurrences[ErrorKey]) -> snapshot_pb2.ErrorRow:
    return snapshot_pb2.ErrorRow(
        id=row.id,
        request_type=row.kind.request_type,
        name=row.kind.name,
        message=row.kind.message,
        origin=row.kind.origin,
        count=row.count,
        first_ms=row.first_ms or 0,
        last_ms=row.last_ms or 0,
        workers=sorted(names[key] for key in row.by_worker),
    )


def _exception_row(names: Mapping[str, str], row: Occurrences[ExceptionKey]) -> snapshot_pb2.ExceptionRow:
    return snapshot_pb2.ExceptionRow(
        id=row.id,
        message=row.kind.message,
        traceback=row.kind.traceback,
        count=row.count,
        first_ms=row.first_ms or 0,
        last_ms=row.last_ms or 0,
        workers=sorted(names[key] for key in row.by_worker),
    )
