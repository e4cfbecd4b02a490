"""CPU and memory of this process, for reports and for the locustfile's `usage_monitor` and `cpu_warning`."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import gevent
import psutil

from locust_runtime import runners

if TYPE_CHECKING:
    from locust_runtime.environment import Environment

logger = logging.getLogger(__name__)

SAMPLE_INTERVAL_S = 1.0
"""Seconds over which CPU use is averaged; asking costs some 0.1 ms."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What the process used lately."""

    cpu_percent: float
    """Percent of one core."""
    memory_bytes: int
    """Resident memory."""


class UsageMeter:
    """Measures at most once in `SAMPLE_INTERVAL_S`, whenever it is asked."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._process.cpu_percent()
        self._measured_s = monotonic()
        self._usage = Usage(0.0, self._process.memory_info().rss)

    def read(self) -> Usage:
        """Return the latest figures."""
        if monotonic() - self._measured_s >= SAMPLE_INTERVAL_S:
            self._measured_s = monotonic()
            self._usage = Usage(self._process.cpu_percent(), self._process.memory_info().rss)
        return self._usage

    def watch(self, environment: Environment) -> None:
        """Fires the locustfile's events about it, for ever; to be spawned."""
        is_warned = False
        while True:
            gevent.sleep(runners.CPU_MONITOR_INTERVAL)
            usage = self.read()
            runner = environment.runner
            if runner is not None:
                runner.current_cpu_usage = usage.cpu_percent
                runner.current_memory_usage = usage.memory_bytes
            if usage.cpu_percent > runners.CPU_WARNING_THRESHOLD:
                environment.events.cpu_warning.fire(environment=environment, cpu_usage=usage.cpu_percent)
                if not is_warned:
                    logger.warning(
                        "this runner is short of CPU, response times may be too long: cpu=%d%%",
                        usage.cpu_percent,
                    )
                    is_warned = True
            environment.events.usage_monitor.fire(
                environment=environment, cpu_usage=usage.cpu_percent, memory_usage=usage.memory_bytes
            )
