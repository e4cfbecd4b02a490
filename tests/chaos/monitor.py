"""Watches the cluster through the service that operators use, all the time, on a thread of its own.

Everything that waits for a recovery asks it, so the master answers one status call per look whatever waits.
Must never act on the cluster.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

import grpc

from locust_protocol.v1 import control_service_pb2, report_pb2, snapshot_pb2
from tests.support.cluster import Client
from tests.support.wait import wait_until

LOOK_S = 0.1
"""Seconds between two looks; recoveries are known to that."""

CALL_DEADLINE_S = 1.0
"""Seconds for a master to answer; one that is stopped or gone does not."""

GONE = (report_pb2.WORKER_STATE_GONE, report_pb2.WORKER_STATE_MISSING)

Seen = TypeVar("Seen")


@dataclass(frozen=True, slots=True)
class Look:
    """The status at one moment."""

    at_s: float
    snapshot: snapshot_pb2.Snapshot

    def worker(self, name: str) -> snapshot_pb2.WorkerSummary | None:
        """The worker of this name that is here, or None."""
        here = [each for each in self.snapshot.workers if each.name == name and each.state not in GONE]
        return here[-1] if here else None

    def acknowledged(self, name: str) -> int:
        """The last report of a worker that is stored, 0 when the worker is not here."""
        worker = self.worker(name)
        return worker.acknowledged_sequence if worker is not None else 0

    def pid_of(self, name: str, slot: int) -> int:
        """Process id of a runner that has loaded its locustfile, else 0."""
        worker = self.worker(name)
        runners = worker.status.runners if worker is not None else ()
        ready = (report_pb2.RUNNER_STATE_READY, report_pb2.RUNNER_STATE_STALLED)
        return next((each.pid for each in runners if each.slot == slot and each.state in ready), 0)

    def is_whole(self, names: set[str], users: int) -> bool:
        """Whether the run goes on with these workers and as many users as wanted."""
        here = [each for each in self.snapshot.workers if each.state not in GONE]
        running = sum(count.running for each in here for count in each.status.users)
        is_running = self.snapshot.run.state == snapshot_pb2.RUN_STATE_RUNNING
        return is_running and running == users and {each.name for each in here} == names


class Monitor:
    """Looks again and again, for the length of a `with` block."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._last: Look | None = None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def look(self) -> Look:
        """The newest status; waits for the first one."""
        wait_until(lambda: self._last, deadline_s=30.0, describe="a status of the master")
        assert self._last is not None
        return self._last

    def wait(
        self, condition: Callable[[Look], Seen], *, after_s: float, deadline_s: float, describe: str
    ) -> tuple[Seen, float]:
        """Waits until the condition holds for a look made after a moment; returns its value and that moment.

        Raises AssertionError at the deadline, with the last status.
        """

        def found() -> tuple[Seen, float] | None:
            look = self._last
            if look is None or look.at_s < after_s or not (value := condition(look)):
                return None
            return value, look.at_s

        seen = wait_until(found, deadline_s=deadline_s, describe=lambda: f"{describe}; {self._describe()}")
        assert seen is not None
        return seen

    def _describe(self) -> str:
        look = self._last
        if look is None:
            return "no status was ever seen"
        run = look.snapshot.run
        workers = [
            f"{each.name}: {report_pb2.WorkerState.Name(each.state)} silent {each.silent_ms} ms "
            f"users {sum(users.running for users in each.status.users)} "
            f"runners {[(r.pid, r.state, r.users, r.restarts) for r in each.status.runners]}"
            for each in look.snapshot.workers
        ]
        age_s = time.monotonic() - look.at_s
        state = snapshot_pb2.RunState.Name(run.state)
        return f"{age_s:.1f} s ago: {state}, users {run.users} of {run.target_users}; {workers}"

    def _run(self) -> None:
        request = control_service_pb2.GetStatusRequest()
        while not self._is_over.wait(LOOK_S):
            try:
                asked_s = time.monotonic()
                answer = self._client.stub.GetStatus(request, timeout=CALL_DEADLINE_S)
                self._last = Look(asked_s, answer.snapshot)
            except grpc.RpcError:
                continue
