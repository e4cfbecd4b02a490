"""What one worker contributed to a run, and what its numbers mean.

Reports are deltas with numbers of the worker's own. Of what it contributed only the number of requests is
kept here; response times would take 100 kB and more a worker.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from locust_master.merging.errors import MalformedReport
from locust_master.merging.seconds import RecentSeconds
from locust_master.merging.series import Labels
from locust_master.merging.sums import Counts
from locust_protocol.v1 import report_pb2

OTHER_ID = 0
"""A worker's number for what was over a limit of its own; it needs no definition."""


@dataclass(slots=True)
class Dictionary:
    """What a worker's numbers are in the master's."""

    series: dict[int, int] = field(default_factory=lambda: {OTHER_ID: OTHER_ID})
    errors: dict[int, int] = field(default_factory=lambda: {OTHER_ID: OTHER_ID})
    exceptions: dict[int, int] = field(default_factory=lambda: {OTHER_ID: OTHER_ID})
    label_sets: dict[int, Labels] = field(default_factory=lambda: {0: ()})


@dataclass(slots=True)
class Contribution:
    """One worker's part of the totals. `reported_ms` is the run time up to which it reported everything."""

    key: str
    name: str
    dictionary: Dictionary = field(default_factory=Dictionary)
    counts: Counts = field(default_factory=Counts)
    recent: RecentSeconds = field(default_factory=RecentSeconds)
    reported_ms: int = 0
    newest_end_ms: int = 0
    heard_ms: int = 0
    users: int = 0
    is_final: bool = False
    has_rows: bool = False
    is_gone: bool = False
    """True once nothing is waited for any more: it left or was lost."""


def check_definitions(known: Dictionary, report: report_pb2.Report) -> None:
    """Checks that what a report defines and uses is defined. Raises `MalformedReport`."""
    series, label_sets = set(known.series), set(known.label_sets)
    for definition in report.series:
        if definition.labels:
            label_sets.add(definition.label_set_id)
        if definition.label_set_id not in label_sets:
            raise MalformedReport(f"label set {definition.label_set_id} is not defined")
        if definition.HasField("parent_id") and definition.parent_id not in series:
            raise MalformedReport(f"series {definition.parent_id}, a parent, is not defined")
        _check_new(definition.id, series, "series")
    errors = set(known.errors)
    for error in report.errors:
        if error.series_id not in series:
            raise MalformedReport(f"series {error.series_id}, of an error, is not defined")
        _check_new(error.id, errors, "error")
    exceptions = set(known.exceptions)
    for exception in report.exceptions:
        _check_new(exception.id, exceptions, "exception")
    for message in report.slices:
        for used, defined, what in (
            (message.series_id, series, "series"),
            (message.error_id, errors, "error"),
            (message.exception_id, exceptions, "exception"),
        ):
            if not defined.issuperset(used):
                raise MalformedReport(f"{what} {min(set(used) - defined)} is not defined")


def _check_new(number: int, defined: set[int], what: str) -> None:
    if number in defined:
        raise MalformedReport(f"{what} {number} is defined already")
    defined.add(number)


def add_counts(totals: dict[int, int], counts: Mapping[int, int]) -> None:
    """Adds counts by number."""
    for number, count in counts.items():
        totals[number] = totals.get(number, 0) + count
