"""Learns what a worker's numbers mean in the master's tables. Pure."""

from __future__ import annotations

from locust_master.merging.failures import (
    ErrorKey,
    ExceptionKey,
    OccurrenceTable,
    error_key,
    exception_key,
)
from locust_master.merging.series import SeriesTable, labels_of, series_key
from locust_master.merging.workers import Dictionary
from locust_protocol.v1 import report_pb2


def learn(
    known: Dictionary,
    report: report_pb2.Report,
    series_table: SeriesTable,
    errors: OccurrenceTable[ErrorKey],
    exceptions: OccurrenceTable[ExceptionKey],
) -> None:
    """Takes the definitions of a report, which were checked, into the worker's dictionary and the tables."""
    for series in report.series:
        if series.labels:
            known.label_sets[series.label_set_id] = labels_of(series)
        parent_id = known.series[series.parent_id] if series.HasField("parent_id") else None
        key = series_key(series, labels=known.label_sets[series.label_set_id], parent_id=parent_id)
        known.series[series.id] = series_table.number(key)
    for error in report.errors:
        of = series_table.row(known.series[error.series_id]).key
        kind = error_key(error, request_type=of.request_type, name=of.name)
        known.errors[error.id] = errors.number(kind)
    for exception in report.exceptions:
        known.exceptions[exception.id] = exceptions.number(exception_key(exception))
