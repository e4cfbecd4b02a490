"""`environment.runner` on the master: state, users and workers, as the last snapshot has them.

Toward user code a worker is a runner: each runner of each worker stands among `runner.clients`, under the
name `worker_index` that its own `client_id` is. This only shows; it decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from locust_protocol.v1.report_pb2 import RunnerState as RunnerProcessState
from locust_protocol.v1.report_pb2 import RunnerStatus, WorkerState
from locust_protocol.v1.snapshot_pb2 import RunState, RunSummary, Snapshot, WorkerSummary
from locust_runtime.runners import (
    STATE_INIT,
    STATE_MISSING,
    STATE_RUNNING,
    STATE_SPAWNING,
    STATE_STOPPED,
    STATE_STOPPING,
    MasterRunner,
    RunnerState,
    WorkerNode,
)
from locust_runtime.script_host.merged_stats import MergedStats, exception_entry
from locust_runtime.script_host.port import MasterPort

RUN_STATES: Final = {
    RunState.RUN_STATE_UNSPECIFIED: STATE_INIT,
    RunState.RUN_STATE_READY: STATE_INIT,
    RunState.RUN_STATE_SPAWNING: STATE_SPAWNING,
    RunState.RUN_STATE_RUNNING: STATE_RUNNING,
    RunState.RUN_STATE_STOPPING: STATE_STOPPING,
    RunState.RUN_STATE_STOPPED: STATE_STOPPED,
}
"""States of a run under the names that locustfiles compare with."""

WORKER_STATES: Final = {
    WorkerState.WORKER_STATE_READY: STATE_INIT,
    WorkerState.WORKER_STATE_SPAWNING: STATE_SPAWNING,
    WorkerState.WORKER_STATE_RUNNING: STATE_RUNNING,
    WorkerState.WORKER_STATE_STOPPING: STATE_STOPPING,
    WorkerState.WORKER_STATE_MISSING: STATE_MISSING,
}
"""States of a worker under the same names; one that is gone is not shown."""


class RunnerNode(WorkerNode):
    """A runner of a worker. Its users by class are known where its worker has no other runner."""

    users = 0

    @property
    def user_count(self) -> int:
        return self.users


class ClusterView:
    """Shows snapshots in a MasterRunner and its statistics."""

    def __init__(self, runner: MasterRunner, stats: MergedStats, port: MasterPort) -> None:
        self._runner = runner
        self._stats = stats
        self._port = port
        self._run_id = b""
        self._shown_run = RunSummary()

    def begin(self, run_id: bytes) -> float:
        """A run begins: what was shown is about an earlier one, and snapshots of that are too old.

        Returns how many seconds it goes on already: the master may have taken it up again.
        """
        elapsed_s = self._shown_run.elapsed_ms / 1000 if self._shown_run.run_id == run_id else 0.0
        self._run_id = run_id
        self._stats.clear_all()
        self._runner.exceptions = {}
        self._runner.final_user_classes_count = {}
        self._runner.spawning_completed = False
        self._runner.state = STATE_SPAWNING
        return elapsed_s

    def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot."""
        self._shown_run = snapshot.run
        self._show_workers(snapshot.workers)
        if self._run_id and snapshot.run.run_id != self._run_id:
            return
        self._show_run(snapshot.run)
        self._stats.show(snapshot)
        shown = {hash(row.traceback): exception_entry(row) for row in snapshot.exceptions}
        self._runner.exceptions = shown if snapshot.complete else self._runner.exceptions | shown

    def add_worker(self, client_id: str, index: int) -> None:
        """A runner joined."""
        self._port.index_by_client_id[client_id] = index
        self._runner.clients.setdefault(client_id, RunnerNode(client_id))
        self._count_workers()

    def client_id(self, index: int) -> str:
        """The name of a runner by its index; the index as text when there is no such runner."""
        for client_id, known in self._port.index_by_client_id.items():
            if known == index:
                return client_id
        return str(index)

    def _show_run(self, run: RunSummary) -> None:
        runner = self._runner
        runner.state = RUN_STATES.get(run.state, STATE_INIT)
        runner.target_user_count = run.target_users
        runner.target_user_classes_count = {each.user_class: each.planned for each in run.classes}
        runner.spawn_rate = run.spawn_rate
        self._port.users_by_class = {each.user_class: each.running for each in run.classes}

    def _show_workers(self, workers: Iterable[WorkerSummary]) -> None:
        clients = self._runner.clients
        shown: set[str] = set()
        unreported: set[str] = set()
        for worker in workers:
            if worker.state == WorkerState.WORKER_STATE_GONE:
                continue
            if not worker.status.runners:
                unreported.add(worker.name)
            for status in worker.status.runners:
                if status.state != RunnerProcessState.RUNNER_STATE_STARTING:
                    shown.add(self._show_runner(worker, status))
        for client_id in set(clients) - shown:
            # It joined just now, and its worker has not yet said anything.
            if client_id.rpartition("_")[0] not in unreported:
                del clients[client_id]
                self._port.index_by_client_id.pop(client_id, None)
        self._count_workers()

    def _show_runner(self, worker: WorkerSummary, status: RunnerStatus) -> str:
        client_id = f"{worker.name}_{status.index}"
        self._port.index_by_client_id[client_id] = status.index
        node = self._runner.clients.setdefault(client_id, RunnerNode(client_id))
        assert isinstance(node, RunnerNode)
        node.state = _runner_state(worker, status)
        is_alone = len(worker.status.runners) == 1
        node.users = status.users
        node.user_classes_count = (
            {each.user_class: each.running for each in worker.status.users} if is_alone else {}
        )
        node.cpu_usage = status.cpu_percent
        node.memory_usage = status.memory_bytes
        return client_id

    def _count_workers(self) -> None:
        clients = self._runner.clients
        self._runner.worker_count = len(clients.ready) + len(clients.spawning) + len(clients.running)


def _runner_state(worker: WorkerSummary, status: RunnerStatus) -> RunnerState:
    if status.state in (RunnerProcessState.RUNNER_STATE_DEAD, RunnerProcessState.RUNNER_STATE_UNSPECIFIED):
        return STATE_MISSING
    return WORKER_STATES.get(worker.state, STATE_MISSING)
