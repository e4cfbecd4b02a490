"""Errors of failed requests and exceptions of user code: how often, when, at which workers. Bounded. Pure.

Both are tables of kinds, keyed by content, numbered from 1 for the run; what comes after the limit counts
under number 0.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from locust_protocol.limits import (
    MAX_ERROR_KINDS,
    MAX_ERROR_TEXT_CHARS,
    MAX_EXCEPTION_KINDS,
    MAX_TRACEBACK_CHARS,
    OTHER_ERRORS,
)
from locust_protocol.v1 import report_pb2

OTHER_ID = 0
"""Number of the row that takes what is over the limit."""

OTHER_EXCEPTIONS = "(other exceptions)"
"""Text of the exception that takes the counts of kinds over the limit."""


@dataclass(frozen=True, slots=True)
class ErrorKey:
    """One kind of failed request."""

    request_type: str
    name: str
    origin: report_pb2.ErrorOrigin.ValueType
    message: str


@dataclass(frozen=True, slots=True)
class ExceptionKey:
    """One kind of exception that user code raised."""

    message: str
    traceback: str


Kind = TypeVar("Kind", bound=Hashable)


@dataclass(slots=True)
class Occurrences(Generic[Kind]):
    """How often something occurred in the epoch that is shown; times on the run's timeline."""

    id: int
    kind: Kind
    by_worker: dict[str, int] = field(default_factory=dict)
    first_ms: int | None = None
    last_ms: int | None = None
    revision: int = 0

    @property
    def count(self) -> int:
        """How often in all."""
        return sum(self.by_worker.values())


class OccurrenceTable(Generic[Kind]):
    """Kinds by number and by content, at most `limit`."""

    def __init__(self, *, other: Kind, limit: int) -> None:
        self._other = other
        self._limit = limit
        self._by_kind: dict[Kind, int] = {}
        self._rows: dict[int, Occurrences[Kind]] = {}

    def number(self, kind: Kind) -> int:
        """Returns the number of a kind, a new one if there is room, else `OTHER_ID`."""
        known = self._by_kind.get(kind)
        if known is not None:
            return known
        if len(self._by_kind) >= self._limit:
            return OTHER_ID
        number = self._by_kind[kind] = len(self._by_kind) + 1
        self._rows[number] = Occurrences(number, kind)
        return number

    def add(self, number: int, count: int, *, worker: str, span_ms: tuple[int, int], revision: int) -> None:
        """Counts occurrences at a worker between two moments."""
        row, (first_ms, last_ms) = self._row(number), span_ms
        row.by_worker[worker] = row.by_worker.get(worker, 0) + count
        row.first_ms = first_ms if row.first_ms is None else min(row.first_ms, first_ms)
        row.last_ms = last_ms if row.last_ms is None else max(row.last_ms, last_ms)
        row.revision = revision

    def withdraw(self, *, worker: str, revision: int) -> None:
        """Takes back all that a worker contributed."""
        for row in self._rows.values():
            if row.by_worker.pop(worker, None) is not None:
                row.revision = revision

    def clear(self, revision: int) -> None:
        """Forgets all occurrences; numbers and texts stay."""
        for row in self._rows.values():
            row.by_worker = {}
            row.first_ms = row.last_ms = None
            row.revision = revision

    def __iter__(self) -> Iterator[Occurrences[Kind]]:
        """All kinds that have a number, in no particular order."""
        return iter(self._rows.values())

    @property
    def total(self) -> int:
        """Occurrences of all kinds."""
        return sum(row.count for row in self._rows.values())

    def _row(self, number: int) -> Occurrences[Kind]:
        if number == OTHER_ID and OTHER_ID not in self._rows:
            self._rows[OTHER_ID] = Occurrences(OTHER_ID, self._other)
        return self._rows[number]


def error_table() -> OccurrenceTable[ErrorKey]:
    """Returns an empty table of errors."""
    other = ErrorKey("", "", report_pb2.ERROR_ORIGIN_TARGET, OTHER_ERRORS)
    return OccurrenceTable(other=other, limit=MAX_ERROR_KINDS)


def exception_table() -> OccurrenceTable[ExceptionKey]:
    """Returns an empty table of exceptions."""
    return OccurrenceTable(other=ExceptionKey(OTHER_EXCEPTIONS, ""), limit=MAX_EXCEPTION_KINDS)


def error_key(definition: report_pb2.ErrorDefinition, *, request_type: str, name: str) -> ErrorKey:
    """Returns what a definition names, its text cut to the limit."""
    return ErrorKey(
        request_type=request_type,
        name=name,
        origin=definition.origin or report_pb2.ERROR_ORIGIN_TARGET,
        message=definition.message[:MAX_ERROR_TEXT_CHARS],
    )


def exception_key(definition: report_pb2.ExceptionDefinition) -> ExceptionKey:
    """Returns what a definition names, its texts cut to their limits."""
    return ExceptionKey(
        message=definition.message[:MAX_ERROR_TEXT_CHARS],
        traceback=definition.traceback[:MAX_TRACEBACK_CHARS],
    )
