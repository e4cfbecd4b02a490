"""What one worker contributed to the totals, added up again from its reports for a snapshot. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from locust_master.merging.decoding import decode_slice
from locust_master.merging.failures import ErrorKey, ExceptionKey, OccurrenceTable
from locust_master.merging.naming import learn
from locust_master.merging.series import SeriesTable
from locust_master.merging.sums import Counts, Sums
from locust_master.merging.workers import Dictionary
from locust_protocol.v1 import report_pb2


@dataclass(slots=True)
class Contributed:
    """Sums by number of the row for the epoch that is shown, counts of requests for all epochs."""

    by_row: dict[int, Sums] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)


def contribution(
    reports: Iterable[report_pb2.Report],
    series: SeriesTable,
    errors: OccurrenceTable[ErrorKey],
    exceptions: OccurrenceTable[ExceptionKey],
    *,
    epoch: int,
) -> Contributed:
    """Returns what reports of one worker, in order, come to; the tables know all that they name."""
    found, known = Contributed(), Dictionary()
    for report in reports:
        if report.snapshot:
            found, known = Contributed(), Dictionary()
        learn(known, report, series, errors, exceptions)
        for message in report.slices:
            for theirs, sums in decode_slice(message).rows:
                row = series.row(known.series[theirs])
                if row.key.kind == report_pb2.SERIES_KIND_REQUEST:
                    found.counts.add(sums)
                if message.stats_epoch == epoch:
                    found.by_row.setdefault(row.id, Sums()).add(sums)
    return found
