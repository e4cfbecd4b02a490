"""Fires the locustfile's `usage_monitor` and `cpu_warning` on the master, about this process."""

from __future__ import annotations

import gevent

from locust_runtime import runners
from locust_runtime.environment import Environment
from locust_runtime.run.health import UsageMeter


def watch_usage(environment: Environment) -> None:
    """Fire them for ever; to be spawned. Unlike in a runner, no response time suffers: nothing is logged."""
    meter = UsageMeter()
    while True:
        gevent.sleep(runners.CPU_MONITOR_INTERVAL)
        usage = meter.read()
        if environment.runner is not None:
            environment.runner.current_cpu_usage = usage.cpu_percent
            environment.runner.current_memory_usage = usage.memory_bytes
        if usage.cpu_percent > runners.CPU_WARNING_THRESHOLD:
            environment.events.cpu_warning.fire(environment=environment, cpu_usage=usage.cpu_percent)
        environment.events.usage_monitor.fire(
            environment=environment, cpu_usage=usage.cpu_percent, memory_usage=usage.memory_bytes
        )
