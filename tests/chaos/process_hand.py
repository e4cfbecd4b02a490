"""Carries out the faults of processes and the edits, one after the other, and times the recoveries.

After each it waits until the cluster is whole again: all workers here, the run RUNNING, as many users as
wanted. What does not come about in time is noted, and the bench goes on.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence

from locust_protocol.v1 import report_pb2
from tests.chaos.accounts import Death
from tests.chaos.fault_cluster import FaultCluster, Seat
from tests.chaos.monitor import Look, Monitor
from tests.chaos.outages import Outages
from tests.chaos.plan import ProcessFault, ProcessStep
from tests.chaos.recoveries import Recoveries
from tests.chaos.wishes import Wish
from tests.support.processes import assert_no_processes, children_of
from tests.support.wait import wait_until

PAUSE_S = 5.0
"""Seconds between SIGSTOP and SIGCONT: shorter than a lease, longer than any sign of life."""

WHOLE_DEADLINE_S = 45.0
"""Seconds in which the cluster has to be whole again; a connection that hangs for 14 s beside it included."""

LEAVE_DEADLINE_S = 20.0


class ProcessHand:
    """Acts on the calling thread."""

    def __init__(
        self, cluster: FaultCluster, *, monitor: Monitor, recoveries: Recoveries, master_outages: Outages
    ) -> None:
        self.deaths: list[Death] = []
        self.wishes: list[Wish] = []
        self._cluster = cluster
        self._monitor = monitor
        self._recoveries = recoveries
        self._master_outages = master_outages
        self._users = 0

    def start_run(self, *, users: int, spawn_rate: float) -> None:
        """Starts the run, and waits until all users are there."""
        sent_s = time.monotonic()
        self._cluster.client.start(users=users, spawn_rate=spawn_rate)
        self._note_wish(sent_s, users, spawn_rate)
        self.wait_whole(after_s=time.monotonic())

    def follow(self, steps: Sequence[ProcessStep]) -> None:
        """Carries out the steps, each at its time or as soon as the one before is over."""
        acts = {
            ProcessFault.KILL_RUNNER: self._kill_runner,
            ProcessFault.KILL_MASTER: self._kill_master,
            ProcessFault.KILL_AGENT: self._kill_agent,
            ProcessFault.LEAVE: self._leave,
            ProcessFault.PAUSE_RUNNER: self._pause_runner,
            ProcessFault.PAUSE_AGENT: self._pause_agent,
            ProcessFault.PAUSE_MASTER: self._pause_master,
            ProcessFault.EDIT: self._edit,
        }
        started_s = time.monotonic()
        for step in steps:
            time.sleep(max(0.0, started_s + step.at_s - time.monotonic()))
            try:
                acts[step.kind](step)
            except AssertionError as error:
                self._recoveries.fail(f"{step.kind.value}: {error}")

    def wait_whole(self, *, after_s: float) -> float:
        """Waits until everything is as it should be, and returns the moment at which it was seen to be."""
        names = {seat.machine.name for seat in self._cluster.seats}
        return self._wait_whole(names, after_s=after_s)

    # ── runners ──────────────────────────────────────────────────────────────────────────────────────────

    def _kill_runner(self, step: ProcessStep) -> None:
        seat = self._cluster.seats[step.seat]
        with seat.lock:
            name, pid = seat.machine.name, self._runner_pid(seat, step.slot)
            killed_s = time.monotonic()
            os.kill(pid, signal.SIGKILL)
        self.deaths.append(Death(name, (str(pid),), killed_s))

        def is_back(look: Look) -> bool:
            worker = look.worker(name)
            runners = worker.status.runners if worker is not None else ()
            return any(each.slot == step.slot and each.pid != pid and each.users > 0 for each in runners)

        _, seen_s = self._monitor.wait(
            is_back, after_s=killed_s, deadline_s=WHOLE_DEADLINE_S, describe=f"a new runner of {name}"
        )
        self._recoveries.note(step.kind.value, seen_s - killed_s)
        self.wait_whole(after_s=killed_s)

    def _pause_runner(self, step: ProcessStep) -> None:
        seat = self._cluster.seats[step.seat]
        with seat.lock:
            name, pid = seat.machine.name, self._runner_pid(seat, step.slot)
            resumed_s = _pause(pid)

            def answers(look: Look) -> bool:
                worker = look.worker(name)
                runners = worker.status.runners if worker is not None else ()
                return any(r.pid == pid and r.state == report_pb2.RUNNER_STATE_READY for r in runners)

            _, seen_s = self._monitor.wait(
                answers,
                after_s=resumed_s,
                deadline_s=WHOLE_DEADLINE_S,
                describe=f"runner {pid} of {name} READY again",
            )
        self._recoveries.note(step.kind.value, seen_s - resumed_s)

    def _runner_pid(self, seat: Seat, slot: int) -> int:
        """A living child of the agent, as the cluster shows it; waits while that slot has none."""

        def found() -> int:
            pid = self._monitor.look().pid_of(seat.machine.name, slot)
            return pid if pid in children_of(seat.machine.command.pid) else 0

        return wait_until(found, deadline_s=WHOLE_DEADLINE_S, describe=f"a runner of {seat.machine.name}")

    # ── agents ───────────────────────────────────────────────────────────────────────────────────────────

    def _pause_agent(self, step: ProcessStep) -> None:
        seat = self._cluster.seats[step.seat]
        with seat.lock:
            name = seat.machine.name
            before = self._monitor.look().acknowledged(name)
            resumed_s = _pause(seat.machine.command.pid)
            _, seen_s = self._monitor.wait(
                lambda look: look.acknowledged(name) > before,
                after_s=resumed_s,
                deadline_s=WHOLE_DEADLINE_S,
                describe=f"a report of {name} after its pause",
            )
        self._recoveries.note(step.kind.value, seen_s - resumed_s)
        self.wait_whole(after_s=resumed_s)

    def _kill_agent(self, step: ProcessStep) -> None:
        seat = self._cluster.seats[step.seat]
        with seat.lock:
            machine = seat.machine
            runners = children_of(machine.command.pid, recursive=True)
            killed_s = time.monotonic()
            machine.command.send_signal(signal.SIGKILL)
            self.deaths.append(Death(machine.name, tuple(map(str, runners)), killed_s, is_worker=True))
            assert_no_processes(runners)
            self._replace(step, seat, since_s=killed_s)

    def _leave(self, step: ProcessStep) -> None:
        seat = self._cluster.seats[step.seat]
        with seat.lock:
            asked_s = time.monotonic()
            seat.machine.command.send_signal(signal.SIGTERM)
            exit_code = seat.machine.command.wait_for_exit(deadline_s=LEAVE_DEADLINE_S)
            if exit_code != 0:
                self._recoveries.fail(f"{seat.machine.name} left with exit code {exit_code}")
            self._replace(step, seat, since_s=asked_s)

    def _replace(self, step: ProcessStep, seat: Seat, *, since_s: float) -> None:
        """Waits until the others run everything, then puts a new worker into the seat."""
        others = {each.machine.name for each in self._cluster.seats if each is not seat}
        self._recoveries.note(step.kind.value, self._wait_whole(others, after_s=since_s) - since_s)
        started_s = time.monotonic()
        self._cluster.start_worker(seat)
        self._recoveries.note("worker joined", self.wait_whole(after_s=started_s) - started_s)

    # ── the master ───────────────────────────────────────────────────────────────────────────────────────

    def _kill_master(self, step: ProcessStep) -> None:
        self._master_outages.begin(time.monotonic())
        self._cluster.master.send_signal(signal.SIGKILL)
        time.sleep(step.down_s)
        self._cluster.start_master()
        listening_s = time.monotonic()
        try:
            self._recoveries.note(step.kind.value, self.wait_whole(after_s=listening_s) - listening_s)
        finally:
            self._master_outages.end(time.monotonic())

    def _pause_master(self, step: ProcessStep) -> None:
        self._master_outages.begin(time.monotonic())
        resumed_s = _pause(self._cluster.master.pid)
        try:
            self._recoveries.note(step.kind.value, self.wait_whole(after_s=resumed_s) - resumed_s)
        finally:
            self._master_outages.end(time.monotonic())

    # ── the load ─────────────────────────────────────────────────────────────────────────────────────────

    def _edit(self, step: ProcessStep) -> None:
        sent_s = time.monotonic()
        self._cluster.client.edit(users=step.users, spawn_rate=step.spawn_rate)
        ramp_s = abs(step.users - self._users) / step.spawn_rate
        self._note_wish(sent_s, step.users, step.spawn_rate)
        done_s = self.wait_whole(after_s=time.monotonic())
        self._recoveries.note("users edited, beyond the ramp", max(0.0, done_s - sent_s - ramp_s))

    def _note_wish(self, sent_s: float, users: int, spawn_rate: float) -> None:
        self.wishes.append(Wish(sent_s, time.monotonic(), users, spawn_rate))
        self._users = users

    def _wait_whole(self, names: set[str], *, after_s: float) -> float:
        _, seen_s = self._monitor.wait(
            lambda look: look.is_whole(names, self._users),
            after_s=after_s,
            deadline_s=WHOLE_DEADLINE_S,
            describe=f"{self._users} users on {sorted(names)}",
        )
        return seen_s


def _pause(pid: int) -> float:
    """Stops a process for a while; returns the moment at which it went on."""
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(PAUSE_S)
    finally:
        os.kill(pid, signal.SIGCONT)
    return time.monotonic()
