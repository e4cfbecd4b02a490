"""Runs that counted samples the way real ones do: as reports of members, in columns, through `Run.count`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from locust_master.membership import Member
from locust_master.outputs.report import FinalReport, make_report
from locust_master.run import Run
from locust_protocol.histogram import Histogram
from locust_protocol.histogram_messages import write_timed
from locust_protocol.v1 import histogram_pb2, report_pb2
from tests.master.cluster_builders import RUN_ID, SECOND_NS, START_NS, Fleet, make_run, registration

STARTED_WALL_MS = 1_700_000_000_250
"""Wall clock of run time zero, on purpose not on a whole second: 2023-11-14T22:13:20.250Z."""

END_NS = START_NS + 60 * SECOND_NS
"""When reports are made: a minute into the run."""

TRACEBACK = 'Traceback (most recent call last):\n  File "locustfile.py", line 7, in buy\nValueError: no stock'


@dataclass(frozen=True)
class Samples:
    """What one series counted in one second; response times in µs, as on the wire."""

    name: str
    request_type: str = "GET"
    successful_us: tuple[int, ...] = ()
    failed_us: tuple[int, ...] = ()
    untimed: int = 0
    interrupted: int = 0
    response_bytes: int = 0
    error: str = ""
    origin: report_pb2.ErrorOrigin.ValueType = report_pb2.ERROR_ORIGIN_TARGET
    kind: report_pb2.SeriesKind.ValueType = report_pb2.SERIES_KIND_REQUEST


@dataclass
class CountingRun:
    """A run, and a worker that reports to it."""

    worker_name: str = "w1"
    run: Run = field(default_factory=make_run)
    sequence: int = 0

    def __post_init__(self) -> None:
        self.run.record.started_wall_ms = STARTED_WALL_MS
        self.member: Member = Fleet().join(registration(name=self.worker_name))

    def count(
        self, second: int, *rows: Samples, users: int = 0, exception: tuple[str, str] | None = None
    ) -> None:
        """Counts what happened in a second, as reported at its end."""
        self.sequence += 1
        made = report_pb2.Report(run_id=RUN_ID, sequence=self.sequence, status=_status(users))
        # Numbers that no other report of this worker gives, so that each report stands for itself.
        ids = [self.sequence * 1_000 + place for place, _ in enumerate(rows)]
        for number, row in zip(ids, rows, strict=True):
            made.series.add(id=number, kind=row.kind, request_type=row.request_type, name=row.name)
        counted = _slice(second, ids, rows)
        for number, row in zip(ids, rows, strict=True):
            if row.error:
                made.errors.add(id=number, series_id=number, origin=row.origin, message=row.error)
                counted.error_id.append(number)
                counted.error_count.append(len(row.failed_us))
        if exception is not None:
            made.exceptions.add(id=ids[0], message=exception[0], traceback=exception[1])
            counted.exception_id.append(ids[0])
            counted.exception_count.append(2)
        made.slices.append(counted)
        self.run.count(self.member, made, now_ns=START_NS + (second + 1) * SECOND_NS)


def report_of(counting: CountingRun) -> FinalReport:
    """The whole report of a run after a minute."""
    return make_report(counting.run, now_ns=END_NS, with_seconds=True)


def shop_run() -> CountingRun:
    """Two seconds of a shop: three pages served, a purchase refused, a message without a response time."""
    shop = CountingRun()
    shop.count(
        0,
        Samples("/", successful_us=(10_000, 20_000), response_bytes=300),
        Samples("/buy", "POST", failed_us=(250_000,), error="500 Server Error"),
        users=3,
        exception=("no stock", TRACEBACK),
    )
    shop.count(
        1,
        Samples("/", successful_us=(1_500,), interrupted=2, response_bytes=60),
        Samples("notify", "WS", untimed=1),
        users=4,
    )
    return shop


def _status(users: int) -> report_pb2.WorkerStatus:
    return report_pb2.WorkerStatus(users=[report_pb2.ClassCount(user_class="A", running=users)])


def _slice(second: int, ids: Sequence[int], rows: Sequence[Samples]) -> report_pb2.Slice:
    return report_pb2.Slice(
        start_ms=second * 1_000,
        width_ms=1_000,
        stats_epoch=1,
        series_id=ids,
        requests=[len(row.successful_us) + len(row.failed_us) + row.untimed for row in rows],
        failures=[len(row.failed_us) for row in rows],
        untimed=[row.untimed for row in rows],
        interrupted=[row.interrupted for row in rows],
        response_bytes=[row.response_bytes for row in rows],
        successful=_columns([row.successful_us for row in rows]),
        failed=_columns([row.failed_us for row in rows]),
    )


def _columns(rows: Sequence[Sequence[int]]) -> histogram_pb2.TimedColumns:
    histograms = [Histogram() for _ in rows]
    for histogram, values_us in zip(histograms, rows, strict=True):
        for value_us in values_us:
            histogram.record(value_us)
    return write_timed(histograms)
