"""The real commands on hosts of their own: a master, workers and a target, controlled from one more host."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from locust_protocol.v1 import report_pb2, snapshot_pb2
from tests.network.witness import Witness
from tests.support.cluster import BIN, START_DEADLINE_S, Client
from tests.support.command_block import CommandBlock
from tests.support.netns import Host, Network
from tests.support.processes import Command
from tests.support.wait import wait_until

LOCUSTFILE = Path(__file__).parent / "locustfiles" / "named_users.py"
PORT = 5557
"""The default port: on a host of its own nobody else has it."""

LIVE = (report_pb2.WORKER_STATE_READY, report_pb2.WORKER_STATE_SPAWNING, report_pb2.WORKER_STATE_RUNNING)


class HostCluster(CommandBlock):
    """A network with a host for each command; everything ends with the block."""

    def __init__(
        self,
        folder: Path,
        *,
        workers: int,
        locustfile: Path = LOCUSTFILE,
        master_options: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self._folder = folder
        self._first_workers = workers
        self._locustfile = locustfile
        self._master_options = master_options
        self.network = Network()
        self.worker_hosts: list[Host] = []
        self.workers: list[Command] = []
        self._masters: list[Command] = []

    def _shown(self) -> list[Command]:
        return [*self._masters, *self.workers]

    def _start(self) -> None:
        self._stack.enter_context(self.network)
        self.master_host = self.network.add_host("master")
        self.witness = Witness(self.network.add_host("target"))
        self._stack.callback(self.witness.close)
        self.witness.start()
        options = ("-f", self._locustfile, "--host", self.witness.url, "--run-dir", self._folder / "runs")
        self.master = self._command(self.master_host, "locust-master", *options, *self._master_options)
        self._masters.append(self._stack.enter_context(self.master))
        self.client = Client(PORT, host=self.master_host.address)
        self._stack.callback(self.client.close)
        self.master.wait_for_line(r"master listens on", deadline_s=START_DEADLINE_S)
        for _ in range(self._first_workers):
            self.add_worker()
        self.client.wait_workers(self._first_workers)

    def add_worker(
        self, *, wrapper: Sequence[str] = (), environment: dict[str, str] | None = None
    ) -> Command:
        """Starts one more worker, on a host of its own and named as that; `wrapper` starts the command."""
        name = f"w{len(self.workers) + 1}"
        host = self.network.add_host(name)
        argv = (
            "locust-worker",
            "--master-host",
            self.master_host.address,
            "--name",
            name,
            "--processes",
            "1",
        )
        worker = self._command(host, *argv, wrapper=wrapper, environment=environment)
        self._stack.enter_context(worker)
        self.worker_hosts.append(host)
        self.workers.append(worker)
        return worker

    def worker(self, name: str) -> snapshot_pb2.WorkerSummary:
        """The newest life of a worker, as the master knows it."""
        return [worker for worker in self.client.status().workers if worker.name == name][-1]

    def wait_worker(
        self, name: str, found: Callable[[snapshot_pb2.WorkerSummary], bool], *, deadline_s: float
    ) -> float:
        """Waits until the master knows something of a worker; returns the monotonic time in seconds."""
        wait_until(
            lambda: found(self.worker(name)), deadline_s=deadline_s, describe=lambda: f"{self.worker(name)}"
        )
        return time.monotonic()

    def reported(self) -> dict[str, int]:
        """Requests by path, those that a stop or a fence cut off included: the target counted them."""
        rows = self.client.snapshot().series
        return {row.definition.name: row.requests + row.interrupted for row in rows}

    def stop(self) -> None:
        """Stops the run and waits for the last reports."""
        self.client.stop()
        self.client.wait_state(snapshot_pb2.RUN_STATE_STOPPED)

    def _command(
        self,
        host: Host,
        program: str,
        *arguments: str | Path,
        wrapper: Sequence[str | Path] = (),
        environment: dict[str, str] | None = None,
    ) -> Command:
        return Command(
            host.inside(*wrapper, BIN / program, *arguments),
            environment={
                "LOCUST_CACHE_DIR": str(self._folder / "cache"),
                "TEST_HOST": host.namespace.rpartition("-")[2],
                **(environment or {}),
            },
            cwd=self._folder,
        )


def is_heard(worker: snapshot_pb2.WorkerSummary) -> bool:
    """True when reports of the worker come in: the newest is hardly older than the report interval."""
    return worker.state in LIVE and worker.silent_ms < 1_500
