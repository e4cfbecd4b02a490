"""Gives the modules under simulation the clock of the machine on which they run, and no real process.

For as long as `installed` holds, their `time` is the virtual one and `psutil` measures nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from time import gmtime, localtime, strftime
from types import SimpleNamespace
from unittest import mock

from locust_protocol.process import lease_clock
from locust_runtime.run import recorder
from locust_worker import health, pool
from tests.simulation.simulated_runner import SimulatedRunnerProcess
from tests.simulation.virtual_loop import CURRENT, SECOND_NS

PACKAGES = ("locust_master.", "locust_worker.")

WALL_AHEAD_NS = 1_700_000_000 * SECOND_NS
"""Nanoseconds by which wall clocks are ahead of monotonic ones."""


class SimulatedTime:
    """Stands in for the module `time`."""

    @staticmethod
    def monotonic_ns() -> int:
        process = CURRENT.get()
        assert process is not None, "only processes have a clock"
        return process.machine.clock_ns()

    def monotonic(self) -> float:
        return self.monotonic_ns() / SECOND_NS

    def time_ns(self) -> int:
        return self.monotonic_ns() + WALL_AHEAD_NS

    def time(self) -> float:
        return self.time_ns() / SECOND_NS

    def clock_gettime(self, clock: int) -> float:
        """Machines are never suspended, so all their clocks are one."""
        return self.monotonic()

    def clock_gettime_ns(self, clock: int) -> int:
        return self.monotonic_ns()

    def process_time(self) -> float:
        """No simulated process is ever busy."""
        return 0.0

    perf_counter = monotonic
    perf_counter_ns = monotonic_ns

    thread_time = process_time

    strftime, localtime, gmtime = staticmethod(strftime), staticmethod(localtime), staticmethod(gmtime)


class _Meter:
    """Stands in for `psutil.Process`."""

    def __init__(self, pid: int = 0) -> None:
        self.pid = pid

    def cpu_percent(self) -> float:
        return 0.0

    def memory_info(self) -> SimpleNamespace:
        return SimpleNamespace(rss=0)


@contextmanager
def installed() -> Iterator[None]:
    """Virtual clocks and simulated runners in all modules of master and worker that are loaded."""
    virtual = SimulatedTime()
    psutil = SimpleNamespace(Process=_Meter, Error=OSError)
    modules = [module for name, module in list(sys.modules.items()) if name.startswith(PACKAGES)]
    patches = [mock.patch.object(module, "time", virtual) for module in modules if _uses_time(module)]
    patches += [
        mock.patch.object(module, "psutil", psutil) for module in (health, pool) if hasattr(module, "psutil")
    ]
    patches.append(mock.patch.object(lease_clock, "time", virtual))
    patches.append(mock.patch.object(pool, "RunnerProcess", SimulatedRunnerProcess))
    patches.append(mock.patch.object(recorder, "monotonic_ns", virtual.monotonic_ns))
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


def _uses_time(module: object) -> bool:
    return getattr(module, "time", None) is time
