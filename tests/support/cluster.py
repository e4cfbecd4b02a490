"""The real commands as a cluster: master and workers as processes, and a client of the control service."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

from locust_protocol.v1 import control_service_pb2 as control
from locust_protocol.v1 import control_service_pb2_grpc, report_pb2, snapshot_pb2
from tests.support.access import control_channel
from tests.support.command_block import CommandBlock
from tests.support.ports import free_port
from tests.support.processes import Command
from tests.support.wait import wait_until

BIN = Path(sys.executable).parent
CALL_DEADLINE_S = 30.0
START_DEADLINE_S = 60.0
RUN_DEADLINE_S = 60.0


class Client:
    """A script that controls a master, as a user would write one."""

    def __init__(self, port: int, *, host: str = "127.0.0.1") -> None:
        self._channel = control_channel(f"{host}:{port}")
        self.stub = control_service_pb2_grpc.ControlServiceStub(self._channel)
        self._ids = itertools.count(1)

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def precondition(self) -> control.Precondition:
        """A new wish."""
        return control.Precondition(request_id=f"test-{next(self._ids)}", actor="test")

    def start(self, **options: object) -> control.CommandResult:
        """Starts a run."""
        request = control.StartRunRequest(
            precondition=self.precondition(),
            options=control.RunOptions(**options),  # type: ignore[arg-type]
        )
        return self.stub.StartRun(request, timeout=CALL_DEADLINE_S, wait_for_ready=True).result

    def edit(self, **changes: object) -> control.CommandResult:
        """Changes the run."""
        request = control.EditRunRequest(precondition=self.precondition(), **changes)  # type: ignore[arg-type]
        return self.stub.EditRun(request, timeout=CALL_DEADLINE_S).result

    def stop(self) -> control.CommandResult:
        """Stops the run."""
        request = control.StopRunRequest(precondition=self.precondition())
        return self.stub.StopRun(request, timeout=CALL_DEADLINE_S).result

    def shut_down(self) -> None:
        """Ends the master."""
        request = control.ShutDownRequest(precondition=self.precondition())
        self.stub.ShutDown(request, timeout=CALL_DEADLINE_S)

    def status(self) -> snapshot_pb2.Snapshot:
        """State, run and workers."""
        request = control.GetStatusRequest()
        return self.stub.GetStatus(request, timeout=CALL_DEADLINE_S, wait_for_ready=True).snapshot

    def snapshot(self) -> snapshot_pb2.Snapshot:
        """Everything, once."""
        call = self.stub.Watch(control.WatchRequest(history_seconds=3600), timeout=CALL_DEADLINE_S)
        try:
            return next(call).snapshot
        finally:
            call.cancel()

    def wait_state(self, state: snapshot_pb2.RunState.ValueType) -> snapshot_pb2.Snapshot:
        """Waits until the run is in a state."""

        def found() -> snapshot_pb2.Snapshot | None:
            status = self.status()
            return status if status.run.state == state else None

        return wait_until(
            found, deadline_s=RUN_DEADLINE_S, describe=lambda: f"run state {state}; now {self.status().run}"
        )

    def wait_users(self, users: int) -> snapshot_pb2.Snapshot:
        """Waits until the cluster runs exactly this many users and says that it is RUNNING."""

        def found() -> snapshot_pb2.Snapshot | None:
            status = self.status()
            reached = status.run.users == users and status.run.state == snapshot_pb2.RUN_STATE_RUNNING
            return status if reached else None

        return wait_until(
            found, deadline_s=RUN_DEADLINE_S, describe=lambda: f"{users} users; now {self.status().run}"
        )

    def wait_workers(self, workers: int) -> snapshot_pb2.Snapshot:
        """Waits until this many workers are live."""
        gone = (report_pb2.WORKER_STATE_GONE, report_pb2.WORKER_STATE_MISSING)

        def found() -> snapshot_pb2.Snapshot | None:
            status = self.status()
            return status if sum(w.state not in gone for w in status.workers) == workers else None

        return wait_until(
            found,
            deadline_s=RUN_DEADLINE_S,
            describe=lambda: f"{workers} workers; now {self.status().workers}",
        )


class Cluster(CommandBlock):
    """A master and its workers; everything ends with the block."""

    def __init__(
        self,
        folder: Path,
        locustfile: Path,
        *,
        workers: int = 1,
        runners: int = 1,
        host: str | None = None,
        master_options: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.port = free_port()
        self.folder = folder
        # Not in the folder: all that lies beside a locustfile goes to the workers, who would change it.
        self.environment = {"LOCUST_CACHE_DIR": str(folder.with_name(f"{folder.name}-cache"))}
        self._runners = runners
        self._first_workers = workers
        self.master = self._command(
            "locust-master",
            *("-f", str(locustfile), "--bind-host", "127.0.0.1", "--bind-port", str(self.port)),
            *("--run-dir", str(folder / "runs")),
            *(("--host", host) if host else ()),
            *master_options,
        )
        self.workers: list[Command] = []
        self.client = Client(self.port)

    def _start(self) -> None:
        self._stack.callback(self.client.close)
        self._stack.enter_context(self.master)
        self.master.wait_for_line(r"master listens on", deadline_s=START_DEADLINE_S)
        for _ in range(self._first_workers):
            self.add_worker()
        self.client.wait_workers(self._first_workers)

    def _shown(self) -> list[Command]:
        return [self.master, *self.workers]

    def add_worker(self, *options: str) -> Command:
        """Starts one more worker."""
        worker = self._command(
            "locust-worker",
            *("--master-host", "127.0.0.1", "--master-port", str(self.port)),
            *("--processes", str(self._runners), *options),
        )
        self._stack.enter_context(worker)
        self.workers.append(worker)
        return worker

    def tree(self) -> list[int]:
        """Process ids of everything that the commands started, themselves included."""
        return [pid for command in (self.master, *self.workers) for pid in command.processes()]

    def _command(self, name: str, *arguments: str) -> Command:
        return Command([str(BIN / name), *arguments], environment=self.environment, cwd=self.folder)
