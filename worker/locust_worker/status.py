"""The health of the worker as the master sees it, put together from what each part knows.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from locust_protocol.v1 import assignment_pb2, report_pb2
from locust_worker.runner_state import RunnerPhase

RUNNER_STATES = {
    RunnerPhase.STARTING: report_pb2.RUNNER_STATE_STARTING,
    RunnerPhase.READY: report_pb2.RUNNER_STATE_READY,
    RunnerPhase.STALLED: report_pb2.RUNNER_STATE_STALLED,
    RunnerPhase.DEAD: report_pb2.RUNNER_STATE_DEAD,
}


@dataclass(slots=True)
class RunnerHealth:
    """What is known of one runner since the last report: its own words, and what was measured from here."""

    users: dict[str, report_pb2.ClassCount] = field(default_factory=dict)
    said: report_pb2.RunnerStatus = field(default_factory=report_pb2.RunnerStatus)
    cpu_percent: float = 0.0
    memory_bytes: int = 0

    def take(self, status: report_pb2.WorkerStatus) -> None:
        """Takes the status that a runner put into a report. Lags are the worst since `forget_lags`."""
        self.users = {count.user_class: count for count in status.users}
        for said in status.runners[:1]:
            lags = (self.said.lag_p50_us, self.said.lag_p99_us, self.said.lag_max_us)
            self.said = report_pb2.RunnerStatus()
            self.said.CopyFrom(said)
            self.said.lag_p50_us = max(lags[0], said.lag_p50_us)
            self.said.lag_p99_us = max(lags[1], said.lag_p99_us)
            self.said.lag_max_us = max(lags[2], said.lag_max_us)

    @property
    def ended(self) -> dict[str, int]:
        """Users of each class that ended by themselves."""
        return {name: count.ended for name, count in self.users.items() if count.ended}

    def forget_lags(self) -> None:
        """A report has taken the lags along."""
        self.said.lag_p50_us = self.said.lag_p99_us = self.said.lag_max_us = 0


def add_users(healths: Iterable[RunnerHealth], gone: Mapping[str, int]) -> list[report_pb2.ClassCount]:
    """Returns the users of all runners by class; those that are gone with their runners have ended."""
    sums = {
        name: report_pb2.ClassCount(user_class=name, ended=users) for name, users in gone.items() if users
    }
    for health in healths:
        for name, count in health.users.items():
            total = sums.setdefault(name, report_pb2.ClassCount(user_class=name))
            total.running += count.running
            total.ended += count.ended
    return [sums[name] for name in sorted(sums)]


def placed_users(users: Sequence[report_pb2.ClassCount]) -> int:
    """Returns how many users run, or ended by themselves and are not to be started again."""
    return sum(count.running + count.ended for count in users)


def worker_state(
    phase: assignment_pb2.Phase.ValueType, *, is_ended: bool, is_under_way: bool
) -> report_pb2.WorkerState.ValueType:
    """Returns the state to show: `is_ended` when users have ended, `is_under_way` while they change."""
    if phase == assignment_pb2.PHASE_RUN:
        if is_under_way:
            return report_pb2.WORKER_STATE_SPAWNING
        return report_pb2.WORKER_STATE_RUNNING
    if phase == assignment_pb2.PHASE_DRAIN and not is_ended:
        return report_pb2.WORKER_STATE_STOPPING
    return report_pb2.WORKER_STATE_READY
