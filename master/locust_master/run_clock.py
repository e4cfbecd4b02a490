"""Looks at the clock for the cluster, and has somebody act on what that brings.

The look and the act are two loops: what is done at a stop may wait a minute for listeners of user code, and
meanwhile silent workers must still be given up.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from locust_master.cluster import Cluster, Happening
from locust_master.nobody_left import NobodyLeft
from locust_master.run import Run

logger = logging.getLogger(__name__)

TICK_S = 0.1
"""Seconds between two looks at the clock."""


class RunClock:
    """The two loops; `act` is called for one happening after the other, each with the run it happened to."""

    def __init__(self, cluster: Cluster, act: Callable[[Happening, Run], Awaitable[None]]) -> None:
        self._cluster = cluster
        self._act = act
        self._pending: dict[Happening, Run] = {}
        self._has_pending = asyncio.Event()
        self._nobody_left = NobodyLeft()

    async def run(self) -> None:
        """Goes on until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._act_on_pending(), name="happenings")
            while True:
                started_s = time.monotonic()
                self.look(time.monotonic_ns())
                await asyncio.sleep(TICK_S)
                late_s = max(0.0, time.monotonic() - started_s - TICK_S)
                self._cluster.loop_was_late(late_s, time.monotonic_ns())

    def look(self, now_ns: int) -> None:
        """Looks once. A run that is drained ends here: its end must not wait for anything."""
        notice = self._nobody_left.look(self._cluster.run, self._cluster.membership.live())
        if notice is not None:
            logger.log(notice.level, "%s", notice.text)
        for happening in self._cluster.tick(now_ns):
            assert self._cluster.run is not None, "only a run makes something happen"
            if happening is Happening.DRAINED:
                self._cluster.end(now_ns)
            self._pending[happening] = self._cluster.run
            self._has_pending.set()

    async def _act_on_pending(self) -> None:
        while True:
            await self._has_pending.wait()
            self._has_pending.clear()
            while self._pending:
                happening = next(iter(self._pending))
                await self._act(happening, self._pending.pop(happening))
