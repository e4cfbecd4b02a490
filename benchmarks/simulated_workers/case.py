"""One case: a master on a core of its own, simulated workers on the other, a client that watches.

What is measured is the master while a run goes on: its share of its core, its memory, how late its loop was,
how far behind the newest complete second is, and whether any worker was missed.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path

import grpc

from benchmarks.cores import Cores, pinned_to
from benchmarks.simulated_workers.samples import Load
from locust_protocol.channels import client_options, credentials, secure_options
from locust_protocol.security.access import find_access
from locust_protocol.security.access_terms import AccessTerms
from locust_protocol.security.roles import AccessRole
from locust_protocol.v1 import control_service_pb2 as control
from locust_protocol.v1 import control_service_pb2_grpc, report_pb2, snapshot_pb2

LOCUSTFILE = Path(__file__).parent.parent / "locustfiles" / "get.py"
CALL_TIMEOUT_S = 60.0
READY_TIMEOUT_S = 120.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
LAG_LINE = re.compile(r"event loop late .*p99_ms=([\d.]+) max_ms=([\d.]+)")


@dataclass(frozen=True, slots=True)
class Target:
    """What 1,000 workers may cost the master."""

    core_share: float = 0.60
    rss_mb: float = 300.0
    lag_p99_ms: float = 20.0


@dataclass(frozen=True, slots=True)
class Case:
    """How many workers, and for how long."""

    workers: int
    window_s: float = 30.0
    warm_up_s: float = 10.0
    load: Load = field(default_factory=Load)
    is_insecure: bool = False

    @property
    def options(self) -> tuple[str, ...]:
        """What both sides are told."""
        return ("--insecure",) if self.is_insecure else ()


@dataclass(frozen=True, slots=True)
class Measured:
    """What one case came to."""

    is_insecure: bool
    workers: int
    series: int
    samples_per_s: int
    report_interval_s: float
    core_share: float
    core_share_with_children: float
    rss_mb: float
    lag_p99_ms: float | None
    lag_max_ms: float | None
    watermark_delay_p50_s: float
    watermark_delay_p99_s: float
    workers_missing: int
    leases_lost: int
    resyncs: int
    samples_lost: int
    bytes_per_report: float
    bytes_per_series_second: float
    fleet_core_share: float
    meets_target: bool


def run_case(case: Case, *, cores: Cores, target: Target = Target()) -> Measured:
    """Runs a case from the start of the master to its end. Raises `RuntimeError` when it cannot be."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="simulated-")))
        master = stack.enter_context(master_process(folder, core=cores.generator, options=case.options))
        port = port_of(master, folder)
        fleet = stack.enter_context(fleet_process(port, case, core=cores.target))
        os.sched_setaffinity(0, {cores.target})
        with control_channel(f"127.0.0.1:{port}", is_insecure=case.is_insecure) as channel:
            stub = control_service_pb2_grpc.ControlServiceStub(channel)
            _wait_workers(stub, case.workers)
            return _measure(case, stub, master.pid, fleet, folder / "master.err", target)


def _measure(
    case: Case,
    stub: control_service_pb2_grpc.ControlServiceStub,
    pid: int,
    fleet: subprocess.Popen[str],
    log: Path,
    target: Target,
) -> Measured:
    precondition = control.Precondition(request_id="bench-start", actor="bench")
    options = control.RunOptions(users=case.workers, spawn_rate=case.workers, user_classes=["FastGet"])
    stub.StartRun(control.StartRunRequest(precondition=precondition, options=options), timeout=CALL_TIMEOUT_S)
    started_s = time.monotonic()
    watched = _watch(stub, started_s=started_s, until_s=started_s + case.warm_up_s)
    log_from = log.stat().st_size
    before, fleet_before = _cpu_s(pid), _cpu_s(fleet.pid)
    children_before, tally_before = _children_cpu_s(pid), tally_of(fleet)
    from_s = time.monotonic()
    watched = _watch(stub, started_s=started_s, until_s=from_s + case.window_s)
    lasted_s = time.monotonic() - from_s
    master_s, fleet_s = _cpu_s(pid) - before, _cpu_s(fleet.pid) - fleet_before
    children_s, rss_mb, tally = _children_cpu_s(pid) - children_before, _rss_mb(pid), tally_of(fleet)
    lags = LAG_LINE.findall(log.read_text()[log_from:])
    lost = _stop_and_count_lost(stub, fleet)
    reports = tally["reports"] - tally_before["reports"]
    report_bytes = tally["report_bytes"] - tally_before["report_bytes"]
    seconds = (tally["samples"] - tally_before["samples"]) / case.load.samples_per_s
    share, lag_p99 = master_s / lasted_s, max((float(p99) for p99, _ in lags), default=None)
    return Measured(
        is_insecure=case.is_insecure,
        workers=case.workers,
        series=case.load.series,
        samples_per_s=case.load.samples_per_s,
        report_interval_s=round(case.workers * lasted_s / max(1, reports), 2),
        core_share=round(share, 3),
        core_share_with_children=round(share + children_s / lasted_s, 3),
        rss_mb=round(rss_mb, 1),
        lag_p99_ms=lag_p99,
        lag_max_ms=max((float(most) for _, most in lags), default=None),
        watermark_delay_p50_s=round(_quantile(watched.delays_s, 0.5), 2),
        watermark_delay_p99_s=round(_quantile(watched.delays_s, 0.99), 2),
        workers_missing=watched.missing,
        leases_lost=int(tally["leases_lost"]),
        resyncs=int(tally["resyncs"]),
        samples_lost=lost,
        bytes_per_report=round(report_bytes / max(1, reports), 1),
        bytes_per_series_second=round(report_bytes / max(1.0, seconds), 1),
        fleet_core_share=round(fleet_s / lasted_s, 3),
        meets_target=(
            share < target.core_share
            and rss_mb < target.rss_mb
            and lag_p99 is not None
            and lag_p99 < target.lag_p99_ms
            and not watched.missing
            and not tally["leases_lost"]
            and not lost
        ),
    )


@dataclass(slots=True)
class _Watched:
    delays_s: list[float]
    missing: int = 0


def _watch(
    stub: control_service_pb2_grpc.ControlServiceStub, *, started_s: float, until_s: float
) -> _Watched:
    """Watches as a TUI does, once a second."""
    watched = _Watched([])
    call = stub.Watch(control.WatchRequest(history_seconds=60))
    run_start_s: float | None = None
    for response in call:
        now_s, snapshot = time.monotonic(), response.snapshot
        # Clocks are one: both processes are on this machine.
        if run_start_s is None:
            run_start_s = now_s - snapshot.run.elapsed_ms / 1_000
        watched.delays_s.append(now_s - run_start_s - snapshot.run.complete_until_ms / 1_000)
        watched.missing = max(
            watched.missing,
            sum(
                worker.state in (report_pb2.WORKER_STATE_MISSING, report_pb2.WORKER_STATE_GONE)
                for worker in snapshot.workers
            ),
        )
        if now_s >= until_s:
            call.cancel()
            break
    return watched


def _stop_and_count_lost(
    stub: control_service_pb2_grpc.ControlServiceStub, fleet: subprocess.Popen[str]
) -> int:
    """Ends the run and returns how many samples of the workers the master does not have."""
    stub.StopRun(
        control.StopRunRequest(precondition=control.Precondition(request_id="bench-stop", actor="bench")),
        timeout=CALL_TIMEOUT_S,
    )
    for _ in _polling(READY_TIMEOUT_S):
        call = stub.Watch(control.WatchRequest())
        snapshot = next(call).snapshot
        call.cancel()
        if snapshot.run.state == snapshot_pb2.RUN_STATE_STOPPED:
            return int(tally_of(fleet)["samples"]) - int(snapshot.total.requests)
    raise RuntimeError("the run did not end")


def _wait_workers(stub: control_service_pb2_grpc.ControlServiceStub, workers: int) -> None:
    for _ in _polling(READY_TIMEOUT_S):
        snapshot = stub.GetStatus(
            control.GetStatusRequest(), timeout=CALL_TIMEOUT_S, wait_for_ready=True
        ).snapshot
        ready = sum(
            worker.state == report_pb2.WORKER_STATE_READY
            and worker.status.observed_generation == snapshot.generation
            for worker in snapshot.workers
        )
        if ready == workers:
            return
    raise RuntimeError(f"{workers} workers did not join")


def _polling(timeout_s: float) -> Iterator[None]:
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        yield
        time.sleep(0.5)


# ── processes ────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def master_process(
    folder: Path, *, locustfile: Path = LOCUSTFILE, options: Sequence[str] = (), core: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A master that waits for workers and clients; its log is `folder`/master.err."""
    command = [
        *(str(Path(sys.executable).parent / "locust-master"), "-f", str(locustfile)),
        *("--bind-host", "127.0.0.1", "--bind-port", "0", "--run-dir", str(folder / "runs")),
        *("--host", "http://127.0.0.1:9", "--loglevel", "DEBUG", *options),
    ]
    with _pinned(core), (folder / "master.err").open("w") as log:
        process = subprocess.Popen(
            command, stderr=log, stdout=log, stdin=subprocess.DEVNULL, text=True, cwd=locustfile.parent
        )
    with _ended(process):
        yield process


@contextmanager
def fleet_process(
    port: int, case: Case, *, core: int | None = None, fetch_bundle: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """Workers that join the master at `port`."""
    command = [
        *(sys.executable, "-m", "benchmarks.simulated_workers.fleet"),
        *("--port", str(port), "--workers", str(case.workers)),
        *("--series", str(case.load.series), "--samples-per-s", str(case.load.samples_per_s)),
        *case.options,
        *(("--fetch-bundle", "--joins-per-s", str(case.workers)) if fetch_bundle else ()),
    ]
    with _pinned(core):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with _ended(process):
        yield process


def control_channel(target: str, *, is_insecure: bool = False) -> grpc.Channel:
    """A client of the master, as a script of this user's would have it."""
    access = asyncio.run(find_access(target, AccessTerms(AccessRole.CONTROL, is_insecure=is_insecure)))
    if access.roots is None:
        return grpc.insecure_channel(target, options=client_options())
    return grpc.secure_channel(target, credentials(access), options=secure_options(access))


def _pinned(core: int | None) -> AbstractContextManager[None]:
    return nullcontext() if core is None else pinned_to(core)


@contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def port_of(master: subprocess.Popen[str], folder: Path) -> int:
    """Waits until the master listens; returns its port. Raises `RuntimeError` when it ended instead."""
    for _ in _polling(READY_TIMEOUT_S):
        text = (folder / "master.err").read_text()
        if found := re.search(r"master listens on \S*?:(\d+)", text):
            return int(found[1])
        if master.poll() is not None:
            raise RuntimeError(f"the master ended: {text}")
    raise RuntimeError("the master does not say its port")


def tally_of(fleet: subprocess.Popen[str]) -> dict[str, float]:
    """Returns what the workers of a fleet saw so far."""
    assert fleet.stdin is not None
    assert fleet.stdout is not None
    fleet.stdin.write("\n")
    fleet.stdin.flush()
    tally: dict[str, float] = json.loads(fleet.stdout.readline())
    return tally


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def _children_cpu_s(pid: int) -> float:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(_cpu_s(int(child)) for child in children)


def _rss_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def as_line(measured: Measured) -> str:
    """Returns a case as one line of JSON."""
    return json.dumps(asdict(measured))
