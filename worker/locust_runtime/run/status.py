"""What a runner says of itself in each report: users by class, lag, CPU, memory, and how far it got."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from locust_protocol.runner.v1.link_pb2 import Load
from locust_protocol.v1.report_pb2 import (
    ClassCount,
    RunnerState,
    RunnerStatus,
    WorkerState,
    WorkerStatus,
)
from locust_runtime.run.health import UsageMeter
from locust_runtime.run.lag import LagMeter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from locust_runtime.run.recorder import RunRecorder
    from locust_runtime.run.spawner import UserPopulation
    from locust_runtime.users import User


class StatusBoard:
    """Where the parts of a runner note how far they are; `message` makes a message of it."""

    def __init__(
        self,
        *,
        load: Load,
        lag: LagMeter,
        usage: UsageMeter,
        recorder: RunRecorder,
        population: UserPopulation,
        user_classes: Mapping[str, type[User]],
    ) -> None:
        self.state: WorkerState.ValueType = WorkerState.WORKER_STATE_READY
        self.observed_generation = 0
        """Newest target that was applied in full."""
        self.refused_generation = 0
        """Newest target that could not be applied."""
        self.refusal = ""
        """Why not."""
        self._load = load
        self._lag = lag
        self._usage = usage
        self._recorder = recorder
        self._population = population
        self._user_classes = user_classes

    def refuse(self, generation: int, reason: str) -> None:
        """Note that a target cannot be applied."""
        self.refused_generation = generation
        self.refusal = reason

    def news(self) -> WorkerStatus:
        """The status now, without what differs each time that it is measured."""
        return WorkerStatus(
            state=self.state,
            observed_generation=self.observed_generation,
            refused_generation=self.refused_generation,
            refusal=self.refusal,
            users=self._class_counts(),
            joined_slices=self._recorder.joined_slices,
        )

    def message(self) -> WorkerStatus:
        """The status now; the lag in it is the one since the last call."""
        message = self.news()
        usage = self._usage.read()
        lag = self._lag.take()
        message.cpu_percent = usage.cpu_percent
        message.memory_bytes = usage.memory_bytes
        message.runners.append(
            RunnerStatus(
                slot=self._load.slot,
                index=self._load.index,
                pid=os.getpid(),
                state=RunnerState.RUNNER_STATE_READY,
                lag_p50_us=lag.p50_us,
                lag_p99_us=lag.p99_us,
                lag_max_us=lag.max_us,
                cpu_percent=usage.cpu_percent,
                memory_bytes=usage.memory_bytes,
                users=sum(each.running for each in message.users),
            )
        )
        return message

    def _class_counts(self) -> list[ClassCount]:
        counts = [
            ClassCount(
                user_class=name,
                running=self._population.running_count(user_class),
                ended=self._population.ended_count(user_class),
            )
            for name, user_class in self._user_classes.items()
        ]
        return [each for each in counts if each.running or each.ended]
