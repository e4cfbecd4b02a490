"""A run's report as the bytes of a file, in the format asked for. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from locust_master.outputs.csv import exceptions_csv, failures_csv, history_csv, stats_csv
from locust_master.outputs.json import statistics_json
from locust_master.outputs.report import Report, make_report
from locust_master.run import Run
from locust_protocol.process.errors import OperatorError
from locust_protocol.v1 import control_service_pb2

FORMATS: Mapping[control_service_pb2.ExportFormat.ValueType, Callable[[Report], str]] = {
    control_service_pb2.EXPORT_FORMAT_STATS_JSON: statistics_json,
    control_service_pb2.EXPORT_FORMAT_STATS_CSV: stats_csv,
    control_service_pb2.EXPORT_FORMAT_FAILURES_CSV: failures_csv,
    control_service_pb2.EXPORT_FORMAT_EXCEPTIONS_CSV: exceptions_csv,
    control_service_pb2.EXPORT_FORMAT_HISTORY_CSV: history_csv,
}


class UnknownFormat(OperatorError):
    """The master cannot write this format."""


def export(run: Run, file_format: control_service_pb2.ExportFormat.ValueType) -> bytes:
    """Returns the file. Raises `UnknownFormat`."""
    if file_format not in FORMATS:
        known = ", ".join(control_service_pb2.ExportFormat.Name(each) for each in FORMATS)
        raise UnknownFormat(f"export format {file_format} is not available", remedy=f"use one of {known}")
    return FORMATS[file_format](make_report(run)).encode()
