"""How much of a core each process gets while a ramp goes on."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import psutil


class CpuShares:
    """`with CpuShares(pids) as cpu:` and then `cpu.busiest`, the largest share of a core, 0 to 1."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._processes = [psutil.Process(pid) for pid in pids]
        self._before_s: list[float] = []
        self._began_s = 0.0
        self.busiest = 0.0

    def __enter__(self) -> Self:
        self._before_s = [_cpu_s(process) for process in self._processes]
        self._began_s = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            pairs = zip(self._processes, self._before_s, strict=True)
            used_s = [_cpu_s(process) - before_s for process, before_s in pairs]
            self.busiest = max(used_s) / (time.monotonic() - self._began_s)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
