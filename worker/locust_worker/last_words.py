"""What a worker leaves behind however it ends: the samples that no master acknowledged.

They were real requests, so they must not vanish with the process: a JSON file in the working directory holds
them, exact, by series. Some may have reached the master's store without the worker being told; the sequences
that they were sent under are given, so that a store can be asked.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from locust_protocol.histogram import Histogram
from locust_protocol.limits import OTHER_ERRORS, OTHER_NAME
from locust_protocol.v1 import report_pb2
from locust_worker.combine import Definitions
from locust_worker.outbox import Outbox
from locust_worker.slices import Row, SliceTotals, read_slice

logger = logging.getLogger(__name__)

SHARES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Left:
    """What was left behind: nothing; or samples, in a file if there was a place for it."""

    sentence: str = ""
    path: Path | None = None


def write_last_words(outbox: Outbox | None, *, uid: bytes, name: str, folder: Path) -> Left:
    """Writes what was not acknowledged; returns what that was, and where it is."""
    words = None if outbox is None else last_words(outbox)
    if words is None:
        return Left()
    path = folder / f"locust-worker-{uid.hex()}.json"
    head = {"worker": name, "worker_uid": uid.hex(), "written_at": datetime.now(UTC).isoformat()}
    try:
        path.write_text(json.dumps({**head, **words}, indent=2) + "\n")
    except OSError as error:
        logger.error("statistics that no master acknowledged cannot be written: %s", error)
        return Left("no master acknowledged its last reports, and their samples could not be written down")
    logger.warning("statistics that no master acknowledged are in %s requests=%d", path, words["requests"])
    return Left(f"no master acknowledged its last reports: their samples are in {path}", path)


def last_words(outbox: Outbox) -> dict[str, Any] | None:
    """Returns the samples that were not acknowledged; None when there are none."""
    together = SliceTotals()
    starts: list[int] = []
    ends: list[int] = []
    for report in outbox.frozen:
        for message in report.slices:
            _, totals = read_slice(message, series=_same, errors=_same, exceptions=_same)
            together.add(totals)
            starts.append(message.start_ms)
            ends.append(message.start_ms + message.width_ms)
    for key, totals in outbox.open.items():
        together.add(totals)
        starts.append(key.start_ms)
        ends.append(key.start_ms + key.width_ms)
    if not together.entries:
        return None
    definitions = outbox.dictionary.take_all()
    return {
        "run_id": outbox.run_id.hex(),
        "begin_ms": min(starts),
        "end_ms": max(ends),
        "sequences": [report.sequence for report in outbox.frozen],
        "requests": sum(row.requests for row in together.rows.values()),
        "series": _series(together, definitions),
        "errors": _errors(together, definitions),
        "exceptions": _exceptions(together, definitions),
    }


def _series(together: SliceTotals, definitions: Definitions) -> list[dict[str, Any]]:
    known = {each.id: each for each in definitions.series}
    other = report_pb2.SeriesDefinition(name=OTHER_NAME)
    return [_row(known.get(number, other), row) for number, row in sorted(together.rows.items())]


def _row(definition: report_pb2.SeriesDefinition, row: Row) -> dict[str, Any]:
    return {
        "kind": report_pb2.SeriesKind.Name(definition.kind).removeprefix("SERIES_KIND_").lower(),
        "request_type": definition.request_type,
        "name": definition.name,
        "requests": row.requests,
        "failures": row.failures,
        "untimed": row.untimed,
        "interrupted": row.interrupted,
        "response_bytes": row.response_bytes,
        "successful": _times(row.successful),
        "failed": _times(row.failed),
    }


def _times(histogram: Histogram) -> dict[str, Any]:
    quantiles = zip(SHARES, histogram.quantiles_us(SHARES), strict=True)
    return {
        "count": histogram.count,
        "total_us": histogram.total_us,
        "min_us": histogram.min_us,
        "max_us": histogram.max_us,
        "quantiles_us": {str(share): value for share, value in quantiles if value is not None},
    }


def _errors(together: SliceTotals, definitions: Definitions) -> list[dict[str, Any]]:
    names = {each.id: each.name for each in definitions.series}
    known = {each.id: each for each in definitions.errors}
    other = report_pb2.ErrorDefinition(message=OTHER_ERRORS)
    found = [(known.get(number, other), count) for number, count in sorted(together.errors.items())]
    return [
        {"name": names.get(each.series_id, OTHER_NAME), "message": each.message, "count": count}
        for each, count in found
    ]


def _exceptions(together: SliceTotals, definitions: Definitions) -> list[dict[str, Any]]:
    known = {each.id: each.message for each in definitions.exceptions}
    return [
        {"message": known.get(number, OTHER_ERRORS), "count": count}
        for number, count in sorted(together.exceptions.items())
    ]


def _same(number: int) -> int:
    return number
