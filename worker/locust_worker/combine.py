"""The agent's own dictionary of series, errors and exceptions, and how runners' numbers become its numbers.

Each runner numbers what it sees by itself, for the life of its process. The master knows one worker, so the
agent has one dictionary a run, keyed by content: two runners that request "/cart" share a series. What is
over a limit gets number 0, "(other)": counts stay exact, names are lost, and `is_limited` says so.

Pure. Must never give a number a second meaning within a run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from locust_protocol.limits import MAX_ERROR_KINDS, MAX_EXCEPTION_KINDS, MAX_SERIES_NAMES
from locust_protocol.v1 import report_pb2
from locust_worker.slices import Slices, add_slice, read_slice

OTHER_ID = 0
"""Number of whatever is over a limit; it needs no definition."""

Labels = tuple[tuple[str, str], ...]

Definition = TypeVar("Definition")


@dataclass(frozen=True, slots=True)
class Definitions:
    """Definitions that go along with a report."""

    series: tuple[report_pb2.SeriesDefinition, ...] = ()
    errors: tuple[report_pb2.ErrorDefinition, ...] = ()
    exceptions: tuple[report_pb2.ExceptionDefinition, ...] = ()


class RunDictionary:
    """Numbers by content, for one run of one agent."""

    def __init__(
        self,
        *,
        max_series: int = MAX_SERIES_NAMES,
        max_errors: int = MAX_ERROR_KINDS,
        max_exceptions: int = MAX_EXCEPTION_KINDS,
    ) -> None:
        self._series = _Numbers[report_pb2.SeriesDefinition](max_series)
        self._errors = _Numbers[report_pb2.ErrorDefinition](max_errors)
        self._exceptions = _Numbers[report_pb2.ExceptionDefinition](max_exceptions)
        self._label_sets: dict[Labels, int] = {}

    @property
    def is_limited(self) -> bool:
        """True once a request name had to be counted under "(other)"."""
        return self._series.is_limited

    def series_id(
        self, definition: report_pb2.SeriesDefinition, *, labels: Labels, parent_id: int | None
    ) -> int:
        """Returns the number of a series; `parent_id` is one of ours."""
        kind = definition.kind or report_pb2.SERIES_KIND_REQUEST
        key = (kind, definition.request_type, definition.name, labels, parent_id, definition.unit)
        number, is_new = self._series.number(key)
        if is_new:
            label_set_id = self._label_sets.setdefault(labels, len(self._label_sets) + 1) if labels else 0
            ours = report_pb2.SeriesDefinition(
                id=number,
                kind=kind,
                request_type=definition.request_type,
                name=definition.name,
                label_set_id=label_set_id,
                parent_id=parent_id,
                unit=definition.unit,
                labels=[report_pb2.Label(key=key, value=value) for key, value in labels],
            )
            self._series.definitions.append(ours)
        return number

    def error_id(self, definition: report_pb2.ErrorDefinition, *, series_id: int) -> int:
        """Returns the number of an error of a series of ours."""
        number, is_new = self._errors.number((series_id, definition.origin, definition.message))
        if is_new:
            self._errors.definitions.append(
                report_pb2.ErrorDefinition(
                    id=number, series_id=series_id, origin=definition.origin, message=definition.message
                )
            )
        return number

    def exception_id(self, definition: report_pb2.ExceptionDefinition) -> int:
        """Returns the number of an exception of user code."""
        number, is_new = self._exceptions.number((definition.message, definition.traceback))
        if is_new:
            self._exceptions.definitions.append(
                report_pb2.ExceptionDefinition(
                    id=number, message=definition.message, traceback=definition.traceback
                )
            )
        return number

    def take_new(self) -> Definitions:
        """Returns what was defined since the last call."""
        return Definitions(
            series=tuple(self._series.take_new()),
            errors=tuple(self._errors.take_new()),
            exceptions=tuple(self._exceptions.take_new()),
        )

    def take_all(self) -> Definitions:
        """Returns everything defined in the run; `take_new` has nothing left afterwards."""
        self.take_new()
        return Definitions(
            series=tuple(self._series.definitions),
            errors=tuple(self._errors.definitions),
            exceptions=tuple(self._exceptions.definitions),
        )


@dataclass(slots=True)
class RunnerNames:
    """What one runner process has defined, by its numbers, and what these are in one run's dictionary."""

    series: dict[int, report_pb2.SeriesDefinition] = field(default_factory=dict)
    errors: dict[int, report_pb2.ErrorDefinition] = field(default_factory=dict)
    exceptions: dict[int, report_pb2.ExceptionDefinition] = field(default_factory=dict)
    label_sets: dict[int, Labels] = field(default_factory=dict)
    _dictionary: RunDictionary | None = None
    _known: dict[tuple[str, int], int] = field(default_factory=dict)

    def learn(self, report: report_pb2.Report) -> None:
        """Takes the definitions of a report; they come before or with their first use."""
        for series in report.series:
            self.series[series.id] = series
            self._known.pop(("series", series.id), None)
            if series.labels:
                labels = tuple(sorted((label.key, label.value) for label in series.labels))
                self.label_sets[series.label_set_id] = labels
        for error in report.errors:
            self.errors[error.id] = error
            self._known.pop(("error", error.id), None)
        for exception in report.exceptions:
            self.exceptions[exception.id] = exception
            self._known.pop(("exception", exception.id), None)

    def use(self, dictionary: RunDictionary) -> None:
        """Chooses the run whose numbers the other methods return."""
        if self._dictionary is not dictionary:
            self._dictionary = dictionary
            self._known = {}

    def our_series(self, number: int) -> int:
        """Returns our number for a series of the runner; one that it never defined counts as "(other)"."""
        known = self._known.get(("series", number))
        if known is None:
            self._known["series", number] = OTHER_ID  # a series that names itself as parent must end, too
            known = self._known["series", number] = self._look_up_series(number)
        return known

    def our_error(self, number: int) -> int:
        """Returns our number for an error of the runner."""
        known = self._known.get(("error", number))
        if known is None:
            definition = self.errors.get(number)
            known = OTHER_ID
            if definition is not None and self._dictionary is not None:
                series_id = self.our_series(definition.series_id)
                known = self._dictionary.error_id(definition, series_id=series_id)
            self._known["error", number] = known
        return known

    def our_exception(self, number: int) -> int:
        """Returns our number for an exception of the runner."""
        known = self._known.get(("exception", number))
        if known is None:
            definition = self.exceptions.get(number)
            known = OTHER_ID
            if definition is not None and self._dictionary is not None:
                known = self._dictionary.exception_id(definition)
            self._known["exception", number] = known
        return known

    def _look_up_series(self, number: int) -> int:
        definition = self.series.get(number)
        if definition is None or self._dictionary is None:
            return OTHER_ID
        parent_id = self.our_series(definition.parent_id) if definition.HasField("parent_id") else None
        labels = self.label_sets.get(definition.label_set_id, ())
        return self._dictionary.series_id(definition, labels=labels, parent_id=parent_id)


def combine(slices: Slices, dictionary: RunDictionary, names: RunnerNames, report: report_pb2.Report) -> None:
    """Adds a runner's report to `slices`, under the run's numbers. Raises ValueError for a malformed one.

    Nothing is added when it raises.
    """
    names.learn(report)
    names.use(dictionary)
    read = [
        read_slice(message, series=names.our_series, errors=names.our_error, exceptions=names.our_exception)
        for message in report.slices
    ]
    for key, totals in read:
        add_slice(slices, key, totals)


class _Numbers(Generic[Definition]):
    """Numbers from 1 by key, up to a limit; with the definitions in order, and which are still to be told."""

    def __init__(self, limit: int) -> None:
        self.definitions: list[Definition] = []
        self.is_limited = False
        self._limit = limit
        self._by_key: dict[object, int] = {}
        self._told = 0

    def number(self, key: object) -> tuple[int, bool]:
        """Returns the number of a key and whether it is new."""
        known = self._by_key.get(key)
        if known is not None:
            return known, False
        if len(self._by_key) >= self._limit:
            self.is_limited = True
            return OTHER_ID, False
        self._by_key[key] = number = len(self._by_key) + 1
        return number, True

    def take_new(self) -> list[Definition]:
        """Returns the definitions that were added since the last call."""
        new = self.definitions[self._told :]
        self._told = len(self.definitions)
        return new
