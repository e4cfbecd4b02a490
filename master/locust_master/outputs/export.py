"""A report of the present run in the format that a client asks for. Pure."""

from __future__ import annotations

from collections.abc import Callable

from locust_master.outputs.csv import exceptions_csv, failures_csv, history_csv, stats_csv
from locust_master.outputs.json import stats_json
from locust_master.outputs.report import FinalReport, make_report
from locust_master.run import Run
from locust_protocol.process.errors import OperatorError
from locust_protocol.v1 import control_service_pb2

FORMATS: dict[int, Callable[[FinalReport], str]] = {
    control_service_pb2.EXPORT_FORMAT_STATS_JSON: stats_json,
    control_service_pb2.EXPORT_FORMAT_STATS_CSV: stats_csv,
    control_service_pb2.EXPORT_FORMAT_FAILURES_CSV: failures_csv,
    control_service_pb2.EXPORT_FORMAT_EXCEPTIONS_CSV: exceptions_csv,
    control_service_pb2.EXPORT_FORMAT_HISTORY_CSV: history_csv,
}


class UnknownFormat(OperatorError):
    """This release does not write the format."""


def export(run: Run, format: control_service_pb2.ExportFormat.ValueType, *, now_ns: int) -> bytes:
    """Returns the file's bytes, UTF-8. Raises `UnknownFormat`."""
    write = FORMATS.get(format)
    if write is None:
        names = [control_service_pb2.ExportFormat.Name(known) for known in FORMATS]  # type: ignore[arg-type]
        raise UnknownFormat(
            f"export format {format} is unknown here", remedy=f"this release writes {', '.join(names)}"
        )
    with_seconds = format == control_service_pb2.EXPORT_FORMAT_HISTORY_CSV
    report = make_report(run, now_ns=now_ns, with_seconds=with_seconds)
    return write(report).encode("utf-8", errors="replace")
