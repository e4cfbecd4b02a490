"""The cluster that faults happen to: a master that can be killed and started again, workers behind proxies.

A *seat* is a place for a worker with a proxy of its own in front of the master. Whoever acts on a seat's
agent or connection holds its lock, so that one fault at a time happens to it where that matters. Every
process is one that was started here, or a child of one.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from tests.support.chaos_proxy import ChaosProxy
from tests.support.cluster import BIN, START_DEADLINE_S, Client
from tests.support.command_block import CommandBlock
from tests.support.ports import free_port
from tests.support.processes import Command


@dataclass(frozen=True, slots=True)
class Machine:
    """One worker."""

    name: str
    command: Command


class Seat:
    """A place for one worker after the other."""

    def __init__(self, number: int, proxy: ChaosProxy) -> None:
        self.number = number
        self.proxy = proxy
        self.lock = threading.RLock()
        self.machine: Machine


class FaultCluster(CommandBlock):
    """A master, and workers in their seats."""

    def __init__(
        self,
        folder: Path,
        locustfile: Path,
        *,
        host: str,
        workers: int,
        runners: int,
        seed: int,
        environment: dict[str, str],
    ) -> None:
        super().__init__()
        self.port = free_port()
        self.client = Client(self.port)
        self.seats: list[Seat] = []
        self.masters: list[Command] = []
        self.machines: list[Machine] = []
        self._folder = folder
        self._locustfile = locustfile
        self._host = host
        self._workers = workers
        self._runners = runners
        self._seed = seed
        self._environment = {"LOCUST_CACHE_DIR": str(folder / "cache"), **environment}

    def _start(self) -> None:
        self._stack.callback(self.client.close)
        self.start_master()
        for number in range(self._workers):
            proxy = ChaosProxy("127.0.0.1", self.port, seed=self._seed * 1_000 + number)
            self.seats.append(Seat(number, self._stack.enter_context(proxy)))
            self.start_worker(self.seats[-1])
        self.client.wait_workers(self._workers)

    def _shown(self) -> list[Command]:
        return [*self.masters[-2:], *(each.command for each in self.machines[-self._workers :])]

    @property
    def master(self) -> Command:
        """The master of now."""
        return self.masters[-1]

    def start_master(self) -> None:
        """Starts a master as the one before, on the same port and run directory; returns when it listens."""
        master = self._command(
            "locust-master",
            *("-f", str(self._locustfile), "--bind-host", "127.0.0.1", "--bind-port", str(self.port)),
            *("--run-dir", str(self._folder / "runs"), "--host", self._host),
        )
        self.masters.append(master)
        master.wait_for_line(r"master listens on", deadline_s=START_DEADLINE_S)

    @property
    def run_files(self) -> list[Path]:
        """The files of the runs so far, the oldest first."""
        return sorted((self._folder / "runs").glob("*.sqlite"))

    def start_worker(self, seat: Seat) -> Machine:
        """Puts a new worker into a seat."""
        name = f"w{len(self.machines)}"
        command = self._command(
            "locust-worker",
            *("--master-host", "127.0.0.1", "--master-port", str(seat.proxy.port)),
            *("--processes", str(self._runners), "--name", name),
        )
        seat.machine = Machine(name, command)
        self.machines.append(seat.machine)
        return seat.machine

    def logs(self) -> str:
        """What the commands wrote to stderr, one after the other."""
        parts = [(f"master {number}", command) for number, command in enumerate(self.masters)]
        parts += [(machine.name, machine.command) for machine in self.machines]
        return "\n".join(f"===== {title}\n{command.stderr()}" for title, command in parts)

    def _command(self, name: str, *arguments: str) -> Command:
        command = Command([str(BIN / name), *arguments], environment=self._environment, cwd=self._folder)
        return self._stack.enter_context(command)
