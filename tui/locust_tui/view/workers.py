"""What the table of workers shows, and the whole of one when Enter opens it. Pure."""

from __future__ import annotations

from locust_protocol.v1.report_pb2 import RunnerState, WorkerState
from locust_protocol.v1.snapshot_pb2 import WorkerSummary
from locust_tui import formats
from locust_tui.model import Picture
from locust_tui.view.filters import RowFilter
from locust_tui.view.layout import Field, table, text_piece
from locust_tui.view.shapes import Piece, Table, Tone

LATE_LAG_US = 20_000
"""Lag from which a runner's own delay shows in response times."""

SILENT_WORKER_MS = 3_500
"""Silence from which a worker is worth a look."""

WORKER_STATES: dict[int, tuple[str, Tone]] = {
    WorkerState.WORKER_STATE_READY: ("READY", Tone.MUTED),
    WorkerState.WORKER_STATE_SPAWNING: ("SPAWNING", Tone.ACCENT),
    WorkerState.WORKER_STATE_RUNNING: ("RUNNING", Tone.GOOD),
    WorkerState.WORKER_STATE_STOPPING: ("STOPPING", Tone.WARN),
    WorkerState.WORKER_STATE_MISSING: ("MISSING", Tone.BAD),
    WorkerState.WORKER_STATE_GONE: ("GONE", Tone.MUTED),
}


def workers(picture: Picture, *, width: int, row_filter: RowFilter) -> Table:
    """Returns the workers in the master's order."""
    fields: tuple[Field[WorkerSummary], ...] = (
        Field("name", "Name", 0, lambda each: text_piece(each.name), is_right_aligned=False, least=16),
        Field("state", " State", 10, lambda each: _state_piece(each.state), is_right_aligned=False),
        Field("users", "users", 8, lambda each: Piece(formats.count(_worker_users(each), width=7))),
        Field("runners", "runners", 9, _runners_piece),
        Field("rps", "rps", 9, lambda each: Piece(formats.rate(each.requests_per_second))),
        Field("cpu", "CPU %", 8, lambda each: Piece(f"{each.status.cpu_percent:.0f}"), drop=2),
        Field("lag", "lag p99", 9, _lag_piece),
        Field("memory", "memory", 10, lambda each: Piece(formats.size(each.status.memory_bytes)), drop=3),
        Field("silent", "silent", 8, _silent_piece, drop=1),
        Field("unacked", "unacked", 9, lambda each: Piece(str(each.status.unacked_reports)), drop=6),
        Field("version", "version", 10, lambda each: text_piece(each.software_version, Tone.MUTED), drop=5),
        Field("address", "address", 22, lambda each: text_piece(each.address, Tone.MUTED), drop=4),
    )
    items = [(each.worker_uid.hex() or each.name, each) for each in picture.workers]
    return table(
        fields, items, width=width, row_filter=row_filter, empty="no worker yet: start locust-worker"
    )


def _worker_users(worker: WorkerSummary) -> int:
    return sum(each.running for each in worker.status.users)


def _state_piece(state: int) -> Piece:
    word, tone = WORKER_STATES.get(state, WORKER_STATES[WorkerState.WORKER_STATE_MISSING])
    return Piece(f" {word}", tone)


def _runners_piece(worker: WorkerSummary) -> Piece:
    runners = worker.status.runners
    ready = sum(1 for runner in runners if runner.state == RunnerState.RUNNER_STATE_READY)
    text = f"{ready}/{len(runners)}" if runners else formats.NO_VALUE
    return Piece(text, Tone.PLAIN if ready == len(runners) else Tone.BAD)


def _lag_piece(worker: WorkerSummary) -> Piece:
    lags = [runner.lag_p99_us for runner in worker.status.runners]
    if not lags:
        return Piece(formats.NO_VALUE, Tone.MUTED)
    return Piece(
        formats.response_time_with_unit(max(lags)), Tone.WARN if max(lags) > LATE_LAG_US else Tone.PLAIN
    )


def _silent_piece(worker: WorkerSummary) -> Piece:
    return Piece(
        formats.ago(worker.silent_ms), Tone.BAD if worker.silent_ms > SILENT_WORKER_MS else Tone.MUTED
    )


def worker_text(picture: Picture, key: str) -> str:
    """Returns one worker with its runners and its users by class."""
    found = next((each for each in picture.workers if (each.worker_uid.hex() or each.name) == key), None)
    if found is None:
        return ""
    runner_states = {
        RunnerState.RUNNER_STATE_STARTING: "STARTING",
        RunnerState.RUNNER_STATE_READY: "READY",
        RunnerState.RUNNER_STATE_STALLED: "STALLED",
    }
    lines = [
        f"{found.name} on {found.hostname or formats.NO_VALUE} ({found.address}), {found.usable_cores} cores",
        *([f"refused: {found.status.refusal}"] if found.status.refusal else []),
        "",
        *(f"{each.user_class}: {formats.count(each.running)} users" for each in found.status.users),
        "",
    ]
    for runner in found.status.runners:
        blocked = f", blocked at {runner.blocked_at}" if runner.blocked_at else ""
        lines.append(
            f"runner {runner.index} (pid {runner.pid}) {runner_states.get(runner.state, 'DEAD')}: "
            f"{formats.count(runner.users)} users, CPU {runner.cpu_percent:.0f} %, "
            f"lag p99 {formats.response_time_with_unit(runner.lag_p99_us)}, "
            f"memory {formats.size(runner.memory_bytes)}{blocked}"
        )
    return formats.plain_lines("\n".join(lines))
