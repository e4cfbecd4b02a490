"""Everything that one run names: its requests, errors and exceptions, with their definitions for reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locust_protocol.limits import MAX_ERROR_KINDS, MAX_EXCEPTION_KINDS
from locust_protocol.v1.report_pb2 import (
    ErrorDefinition,
    ErrorOrigin,
    ExceptionDefinition,
    Report,
    SeriesDefinition,
    SeriesKind,
)
from locust_runtime.run.dictionary import Dictionary

if TYPE_CHECKING:
    ErrorKey = tuple[int, ErrorOrigin.ValueType, str]


class RunNames:
    """The three dictionaries of a run."""

    def __init__(self, *, max_series: int) -> None:
        self.series: Dictionary[tuple[str, str]] = Dictionary(max_series)
        """Request type and name."""
        self.errors: Dictionary[ErrorKey] = Dictionary(MAX_ERROR_KINDS)
        """Number of the series, origin and text."""
        self.exceptions: Dictionary[tuple[str, str]] = Dictionary(MAX_EXCEPTION_KINDS)
        """Message and traceback."""

    def define_into(self, report: Report) -> None:
        """Add the definitions of what was named since the last call."""
        report.series.extend(
            SeriesDefinition(
                id=number, kind=SeriesKind.SERIES_KIND_REQUEST, request_type=request_type, name=name
            )
            for number, (request_type, name) in self.series.take_definitions()
        )
        report.errors.extend(
            ErrorDefinition(id=number, series_id=series_id, origin=origin, message=message)
            for number, (series_id, origin, message) in self.errors.take_definitions()
        )
        report.exceptions.extend(
            ExceptionDefinition(id=number, message=message, traceback=traceback)
            for number, (message, traceback) in self.exceptions.take_definitions()
        )
