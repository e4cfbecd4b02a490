"""Puts the worker's status together: measures the agent, asks the crew."""

from __future__ import annotations

import asyncio
import time

import psutil

from locust_protocol.limits import RUNNER_COMPLETE_WITHIN_S
from locust_protocol.v1 import assignment_pb2, report_pb2
from locust_worker.clock import ClockEstimate
from locust_worker.crew import Crew
from locust_worker.pool import Runner, Slot
from locust_worker.reporting import Reporting
from locust_worker.shares import is_under_way
from locust_worker.status import RUNNER_STATES, add_users, placed_users, worker_state

LAG_INTERVAL_S = 0.05
"""Seconds between two looks at how late the agent's loop wakes."""

SILENT_S = RUNNER_COMPLETE_WITHIN_S + 0.35
"""Seconds after which a runner that has not said until when it has reported is late, not just on its way."""


class Health:
    """What the agent knows of itself and its runners."""

    def __init__(self, crew: Crew, reporting: Reporting) -> None:
        self._crew = crew
        self._reporting = reporting
        self._agent = psutil.Process()
        self._agent.cpu_percent()
        self._lag_us = 0

    async def watch_lag(self) -> None:
        """Measures for ever how late this loop wakes."""
        while True:
            due_s = time.monotonic() + LAG_INTERVAL_S
            await asyncio.sleep(LAG_INTERVAL_S)
            self._lag_us = max(self._lag_us, int((time.monotonic() - due_s) * 1e6))

    def status(self, estimate: ClockEstimate) -> report_pb2.WorkerStatus:
        """Returns the status now; lags are those since the last call."""
        crew, duty, outbox = self._crew, self._crew.duty, self._reporting.outbox
        runners = crew.pool.working()
        for runner in runners:
            runner.measure()
        users = add_users((runner.health for runner in runners), crew.gone_users())
        status = report_pb2.WorkerStatus(
            state=self._state(users),
            observed_generation=duty.observed_generation,
            refused_generation=duty.refused_generation,
            refusal=duty.refusal,
            users=users,
            runners=[self._runner_status(number, slot) for number, slot in enumerate(crew.pool.slots)],
            cpu_percent=self._agent.cpu_percent() + sum(runner.health.cpu_percent for runner in runners),
            memory_bytes=self._agent.memory_info().rss
            + sum(runner.health.memory_bytes for runner in runners),
            agent_lag_us=self._lag_us,
            clock_offset_ns=estimate.offset_ns,
            clock_error_ns=estimate.error_ns,
            unacked_reports=outbox.unacked if outbox is not None else 0,
            joined_slices=outbox.joined_slices if outbox is not None else 0,
        )
        self._lag_us = 0
        for runner in runners:
            runner.health.forget_lags()
        return status

    def _state(self, users: list[report_pb2.ClassCount]) -> report_pb2.WorkerState.ValueType:
        duty, crew = self._crew.duty, self._crew
        is_spawning = False
        if duty.phase == assignment_pb2.PHASE_RUN:
            now_us = duty.run_now_us(time.monotonic_ns())
            schedules = [schedule for share in crew.plan for schedule in share]
            is_spawning = duty.observed_generation < duty.assignment.generation or is_under_way(
                schedules, now_us, placed=placed_users(users)
            )
        is_ended = crew.pool.has_ended(duty.assignment.run_id)
        return worker_state(duty.phase, is_ended=is_ended, is_under_way=is_spawning)

    def _runner_status(self, number: int, slot: Slot) -> report_pb2.RunnerStatus:
        life, runner = slot.life, slot.runner
        status = report_pb2.RunnerStatus(
            slot=number,
            index=self._crew.pool.index_of(number),
            state=RUNNER_STATES[life.phase],
            blocked_at=life.blocked_at,
            restarts=life.restarts,
        )
        if runner is None:
            return status
        said = runner.health.said
        status.pid = runner.process.pid if runner.process is not None else 0
        status.lag_p50_us, status.lag_p99_us, status.lag_max_us = (
            said.lag_p50_us,
            said.lag_p99_us,
            max(said.lag_max_us, _silent_us(runner)),
        )
        status.cpu_percent = runner.health.cpu_percent
        status.memory_bytes = runner.health.memory_bytes
        status.users = sum(count.running for count in runner.health.users.values())
        return status


def _silent_us(runner: Runner) -> int:
    """Microseconds of samples that a runner with users owes; 0 while it reports as often as it should.

    What it has not reported goes with this machine, and the master declares that.
    """
    silent_us = (time.monotonic_ns() - runner.complete_ns) // 1_000
    return silent_us if runner.owes_final_of and silent_us >= SILENT_S * 1e6 else 0
