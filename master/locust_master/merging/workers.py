"""What one worker contributed to a run, and what its numbers mean.

Reports are deltas with numbers of the worker's own. Of what it contributed only the number of requests is
kept here; response times would take 100 kB and more a worker.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import numpy as np

from locust_master.merging.errors import MalformedReport
from locust_master.merging.packed import Ints
from locust_master.merging.seconds import RecentSeconds
from locust_master.merging.series import Labels
from locust_master.merging.sums import Counts
from locust_protocol.v1 import report_pb2

OTHER_ID = 0
"""A worker's number for what was over a limit of its own; it needs no definition."""

MAX_ID_IN_TABLE = 1 << 14
"""A worker's numbers start at 1 and have no gaps; a table of all of them then takes 128 kB at most."""


@dataclass(slots=True)
class Dictionary:
    """What a worker's numbers are in the master's."""

    series: dict[int, int] = field(default_factory=lambda: {OTHER_ID: OTHER_ID})
    errors: dict[int, int] = field(default_factory=lambda: {OTHER_ID: OTHER_ID})
    exceptions: dict[int, int] = field(default_factory=lambda: {OTHER_ID: OTHER_ID})
    label_sets: dict[int, Labels] = field(default_factory=lambda: {0: ()})
    _table: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    _in_table: int = 0

    def numbers(self, ids: Ints) -> Ints | None:
        """Returns the master's numbers of defined series; None when an id is too big for that."""
        if self._in_table != len(self.series):
            self._fill_table()
        return self._table[ids] if self._table.size else None

    def _fill_table(self) -> None:
        self._in_table = len(self.series)
        last = max(self.series)
        self._table = np.zeros(last + 1 if last <= MAX_ID_IN_TABLE else 0, np.int64)
        if self._table.size:
            self._table[list(self.series)] = list(self.series.values())


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
    series, errors, exceptions = _defined(known, report)
    for message in report.slices:
        for used, defined, what in (
            (message.series_id, series, "series"),
            (message.error_id, errors, "error"),
            (message.exception_id, exceptions, "exception"),
        ):
            numbers = set(used[:])
            if not defined >= numbers:
                raise MalformedReport(f"{what} {min(numbers - defined)} is not defined")


def _defined(
    known: Dictionary, report: report_pb2.Report
) -> tuple[AbstractSet[int], AbstractSet[int], AbstractSet[int]]:
    """Returns what is defined after a report: series, errors and exceptions. Raises `MalformedReport`."""
    if not (report.series or report.errors or report.exceptions):
        return known.series.keys(), known.errors.keys(), known.exceptions.keys()
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
    return series, errors, exceptions


def _check_new(number: int, defined: set[int], what: str) -> None:
    if number in defined:
        raise MalformedReport(f"{what} {number} is defined already")
    defined.add(number)


def add_counts(totals: dict[int, int], counts: Mapping[int, int]) -> None:
    """Adds counts by number."""
    for number, count in counts.items():
        totals[number] = totals.get(number, 0) + count
