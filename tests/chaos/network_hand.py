"""Carries out the faults of one worker's connection, one after the other, and times the recoveries."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from tests.chaos.fault_cluster import FaultCluster, Seat
from tests.chaos.monitor import Look, Monitor
from tests.chaos.outages import Outages
from tests.chaos.plan import NetworkStep
from tests.chaos.recoveries import Recoveries
from tests.support.chaos_proxy import Heal

RECOVERY_DEADLINE_S = 30.0
"""Seconds in which a healed connection has to carry reports again, a killed master beside it included."""


class NetworkHand:
    """The faults of one seat, on a thread of its own."""

    def __init__(
        self,
        cluster: FaultCluster,
        seat: Seat,
        *,
        steps: Sequence[NetworkStep],
        monitor: Monitor,
        recoveries: Recoveries,
        master_outages: Outages,
    ) -> None:
        self._cluster = cluster
        self._seat = seat
        self._steps = steps
        self._monitor = monitor
        self._recoveries = recoveries
        self._master_outages = master_outages
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"network of seat {seat.number}", daemon=True)

    def start(self) -> None:
        """Begins now."""
        self._thread.start()

    def finish(self, *, deadline_s: float) -> None:
        """Waits for the rest of the steps, at most that long; leaves a healthy connection behind."""
        self._thread.join(deadline_s)
        self._is_over.set()
        self._thread.join()
        self._seat.proxy.do(Heal())

    def _run(self) -> None:
        started_s = time.monotonic()
        for step in self._steps:
            if self._is_over.wait(max(0.0, started_s + step.at_s - time.monotonic())):
                return
            with self._seat.lock:
                self._act(step)

    def _act(self, step: NetworkStep) -> None:
        name, proxy = self._seat.machine.name, self._seat.proxy
        broken_s = time.monotonic()
        proxy.do(step.fault)
        self._is_over.wait(step.for_s)
        proxy.do(Heal())
        healed_s = time.monotonic()
        try:
            before, _ = self._monitor.wait(
                lambda look: (look.acknowledged(name),),
                after_s=healed_s,
                deadline_s=RECOVERY_DEADLINE_S,
                describe="a status",
            )

            def is_reporting(look: Look) -> bool:
                return look.acknowledged(name) > before[0]

            _, seen_s = self._monitor.wait(
                is_reporting,
                after_s=healed_s,
                deadline_s=RECOVERY_DEADLINE_S,
                describe=f"a report of {name} after {step.kind}",
            )
        except AssertionError as error:
            self._recoveries.fail(f"{name} did not report again after {step.kind}: {error}")
            return
        is_beside = self._master_outages.overlap(broken_s, seen_s)
        self._recoveries.note(f"{step.kind}, master away" if is_beside else step.kind, seen_s - healed_s)
