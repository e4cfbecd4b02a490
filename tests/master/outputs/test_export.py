"""Exports: every format of the table is written, every other one is refused with what there is."""

from __future__ import annotations

import json

import grpc
import pytest

from locust_master.outputs.export import FORMATS, UnknownFormat, export
from locust_master.services.interceptors import status_of
from locust_protocol.v1 import control_service_pb2
from tests.master.outputs.runs_with_samples import END_NS, CountingRun, Samples, report_of, shop_run

ExportFormat = control_service_pb2.ExportFormat

UNKNOWN = [number for number in (*ExportFormat.values(), 99) if number not in FORMATS]


@pytest.mark.parametrize("file_format", FORMATS, ids=ExportFormat.Name)
@pytest.mark.parametrize("counting", [shop_run(), CountingRun()], ids=["shop", "empty"])
def test_export_is_the_report_in_that_format(
    file_format: ExportFormat.ValueType, counting: CountingRun
) -> None:
    """What a client saves is what the format's own function writes."""
    text = export(counting.run, file_format, now_ns=END_NS).decode()
    assert text == FORMATS[file_format](report_of(counting))
    assert text


def test_export_is_utf8() -> None:
    """Whatever the locale of the master."""
    counting = CountingRun()
    counting.count(0, Samples("/größe/漢字", successful_us=(1,)))
    assert "/größe/漢字" in export(
        counting.run, control_service_pb2.EXPORT_FORMAT_STATS_CSV, now_ns=END_NS
    ).decode("utf-8")
    document = json.loads(export(counting.run, control_service_pb2.EXPORT_FORMAT_STATS_JSON, now_ns=END_NS))
    assert document[0]["name"] == "/größe/漢字"


@pytest.mark.parametrize("file_format", UNKNOWN)
def test_unknown_format_is_refused_as_unimplemented(file_format: ExportFormat.ValueType) -> None:
    """A newer client may ask for more; it is told what this master has."""
    with pytest.raises(UnknownFormat) as caught:
        export(shop_run().run, file_format, now_ns=END_NS)
    assert status_of(caught.value) is grpc.StatusCode.UNIMPLEMENTED
    assert str(file_format) in str(caught.value)
    known = [name for name, number in ExportFormat.items() if number in FORMATS]
    assert all(name in str(caught.value) for name in known)
