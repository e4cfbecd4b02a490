"""Messages for tests of the screens: a shop with four requests, two failures, an exception, two workers."""

from __future__ import annotations

import math

from locust_protocol.v1.control_service_pb2 import GetManifestResponse, RunOptions
from locust_protocol.v1.manifest_pb2 import Manifest, UserClass
from locust_protocol.v1.report_pb2 import (
    ClassCount,
    ErrorOrigin,
    RunnerState,
    RunnerStatus,
    SeriesDefinition,
    WorkerState,
    WorkerStatus,
)
from locust_protocol.v1.snapshot_pb2 import (
    ClassUsers,
    ErrorRow,
    ExceptionRow,
    HistoryPoint,
    Quantile,
    RunEvent,
    RunEventKind,
    RunState,
    RunSummary,
    SeriesRow,
    Snapshot,
    WorkerSummary,
)

RUN_ID = bytes(range(16))
EPOCH = 7

REQUESTS = (("GET", "/", 48_102, 0), ("GET", "/search", 47_880, 48), ("POST", "/cart", 23_990, 456))
"""Type, name, requests, failures of each series, numbered from 1."""


def quantiles(*, p50_ms: float, p95_ms: float, p99_ms: float) -> list[Quantile]:
    """The three percentiles that are asked for."""
    shares = ((0.5, p50_ms), (0.95, p95_ms), (0.99, p99_ms))
    return [Quantile(share=share, value_us=round(1_000 * millis)) for share, millis in shares]


def series_row(number: int, *, requests: int, failures: int = 0, rps: float = 100.0) -> SeriesRow:
    """One series with made-up but steady times."""
    return SeriesRow(
        id=number,
        requests=requests,
        failures=failures,
        mean_us=42_000,
        min_us=1_200,
        max_us=2_100_000,
        mean_bytes=5_120,
        current_rps=rps,
        current_failures_per_second=rps * failures / max(1, requests),
        total_rps=rps,
        quantiles=quantiles(p50_ms=20 + number, p95_ms=100 + 10 * number, p99_ms=500 + number),
        last_minute=[round(rps * (1 + math.sin(second / 9 + number) / 3)) for second in range(60)],
    )


def worker(
    name: str, *, state: WorkerState.ValueType = WorkerState.WORKER_STATE_RUNNING, users: int = 60
) -> WorkerSummary:
    """A worker with two runners."""
    return WorkerSummary(
        name=name,
        worker_uid=name.encode().ljust(16, b"\0")[:16],
        state=state,
        silent_ms=400,
        software_version="0.1.0",
        address="10.0.0.5:51234",
        requests_per_second=210.0,
        usable_cores=2,
        hostname=name,
        status=WorkerStatus(
            state=state,
            users=[ClassCount(user_class="Browser", running=users)],
            runners=[
                RunnerStatus(
                    slot=slot,
                    index=slot,
                    pid=4_000 + slot,
                    state=RunnerState.RUNNER_STATE_READY,
                    lag_p99_us=900 + 100 * slot,
                    cpu_percent=40,
                    memory_bytes=48_000_000,
                    users=users // 2,
                )
                for slot in (0, 1)
            ],
            cpu_percent=84,
            memory_bytes=130_000_000,
        ),
    )


def ready_snapshot(*, with_workers: bool = True, epoch: int = EPOCH) -> Snapshot:
    """A master on which nothing has been run."""
    return Snapshot(
        revision=1,
        master_epoch=epoch,
        complete=True,
        generation=1,
        run=RunSummary(state=RunState.RUN_STATE_READY, locustfile="locustfile.py", expected_workers=1),
        total=SeriesRow(),
        workers=[
            worker(name, state=WorkerState.WORKER_STATE_READY, users=0)
            for name in (("host-1", "host-2") if with_workers else ())
        ],
    )


def running_snapshot(*, elapsed_s: int = 192, users: int = 120, epoch: int = EPOCH) -> Snapshot:
    """A run of ten minutes after `elapsed_s` seconds."""
    series = []
    for number, (request_type, name, requests, failures) in enumerate(REQUESTS, start=1):
        row = series_row(number, requests=requests, failures=failures, rps=251.0 / number)
        row.definition.CopyFrom(SeriesDefinition(id=number, request_type=request_type, name=name))
        series.append(row)
    total = series_row(0, requests=sum(row.requests for row in series), failures=504, rps=460.2)
    total.quantiles[0].value_us = 38_000
    total.quantiles[1].value_us = 210_000
    return Snapshot(
        revision=elapsed_s,
        master_epoch=epoch,
        complete=True,
        generation=5,
        run=RunSummary(
            run_id=RUN_ID,
            state=RunState.RUN_STATE_RUNNING,
            target_users=120,
            planned_users=120,
            users=users,
            spawn_rate=10,
            host="https://shop.test",
            locustfile="locustfile.py",
            elapsed_ms=1_000 * elapsed_s,
            deadline_ms=600_000,
            classes=[ClassUsers(user_class="Browser", running=users, planned=users)],
            stats_epoch=1,
        ),
        workers=[worker("host-1"), worker("host-2")],
        series=series,
        total=total,
        errors=[
            ErrorRow(
                id=1,
                request_type="POST",
                name="/cart",
                message="500 Server Error: Internal Server Error",
                origin=ErrorOrigin.ERROR_ORIGIN_TARGET,
                count=456,
                first_ms=4_000,
                last_ms=190_000,
                workers=["host-1", "host-2"],
            ),
            ErrorRow(id=2, request_type="GET", name="/search", message="timed out", count=48, last_ms=99_000),
        ],
        exceptions=[
            ExceptionRow(
                id=1,
                message="KeyError: 'basket'",
                traceback='Traceback\n  File "locustfile.py", line 31, in buy\nKeyError',
                count=3,
                workers=["host-1"],
            )
        ],
        history=[history_point(second) for second in range(elapsed_s)],
        events=[
            RunEvent(
                id=1, at_ms=0, kind=RunEventKind.RUN_EVENT_KIND_STARTED, text="run started", actor="tui@a"
            ),
            RunEvent(id=2, at_ms=12_000, kind=RunEventKind.RUN_EVENT_KIND_SPAWNED, text="all 120 users run"),
        ],
    )


def history_point(second: int) -> HistoryPoint:
    """One second of a ramp of 12 s."""
    users = min(120, 10 * (second + 1))
    return HistoryPoint(
        start_ms=1_000 * second,
        width_ms=1_000,
        users=users,
        planned_users=users,
        requests=round(users * (3.8 + math.sin(second / 11) / 3)),
        failures=second % 7,
        quantiles=quantiles(p50_ms=38 + second % 5, p95_ms=200 + 40 * math.sin(second / 17), p99_ms=560),
    )


def manifest(*, with_host: bool = True) -> GetManifestResponse:
    """Two classes and the defaults of a command line."""
    browser = UserClass(name="Browser", weight=3, summary="Looks around", needs_host=True)
    if with_host:
        browser.host = "https://shop.test"
    return GetManifestResponse(
        manifest=Manifest(
            user_classes=[browser, UserClass(name="Buyer", weight=1, summary="Buys")],
            locustfile="locustfile.py",
        ),
        defaults=RunOptions(users=120, spawn_rate=10, run_time_ms=600_000),
    )
