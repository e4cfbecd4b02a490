"""Takes the reports of all workers in turns: those that came together are read together.

asyncio runs all that is ready before it looks at its clock again: a hundred reports that come at once would
keep timers, acknowledgements and commands waiting until the last of them is done. So a turn takes some, and
the loop goes around before the next one. Where reports come one after the other, they wait a moment for one
another: fifteen that are read together cost little more than one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from locust_master.merging.ahead import SlicePart, read_ahead
from locust_master.merging.arrays import MAX_TOGETHER
from locust_protocol.v1 import report_pb2

Taken = TypeVar("Taken")

GATHER_S = 0.015
"""Seconds between the ends of turns and the next ones: at a thousand reports a second, fifteen are read
together, and none is acknowledged noticeably later."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting(Generic[Taken]):
    report: report_pb2.Report
    take: Callable[[SlicePart | None], Taken]
    done: asyncio.Future[Taken] = field(default_factory=asyncio.Future)


class Intake(Generic[Taken]):
    """Reports that wait for their turn; what `take` returns or raises is its own report's."""

    def __init__(self) -> None:
        self._waiting: deque[_Waiting[Taken]] = deque()
        self._ended_s = float("-inf")
        self._next_turn: asyncio.Handle | None = None

    async def take(self, report: report_pb2.Report, take: Callable[[SlicePart | None], Taken]) -> Taken:
        """Calls `take` with the slices of a report, where they could be read ahead, when its turn has come.

        In the order of the calls. A caller that is cancelled meanwhile has its report taken at once: it came.
        """
        waiting = _Waiting(report, take)
        self._waiting.append(waiting)
        self._plan_turn()
        try:
            return await waiting.done
        except asyncio.CancelledError:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
                _take([waiting])
            raise

    def take_all(self) -> None:
        """Takes what waits now: for whoever is about to act on a worker's last word."""
        while self._waiting:
            self._take_turn()

    def _plan_turn(self) -> None:
        is_full = len(self._waiting) >= MAX_TOGETHER
        if self._next_turn is not None and is_full:
            self._next_turn.cancel()
            self._next_turn = None
        if self._next_turn is None and self._waiting:
            loop = asyncio.get_running_loop()
            wait_s = 0.0 if is_full else max(0.0, self._ended_s + GATHER_S - loop.time())
            self._next_turn = loop.call_later(wait_s, self._take_turn)

    def _take_turn(self) -> None:
        if self._next_turn is not None:
            self._next_turn.cancel()
            self._next_turn = None
        turn: list[_Waiting[Taken]] = []
        room = MAX_TOGETHER
        while self._waiting and (not turn or room >= len(self._waiting[0].report.slices)):
            turn.append(self._waiting.popleft())
            room -= max(1, len(turn[-1].report.slices))
        _take(turn)
        self._ended_s = asyncio.get_running_loop().time()
        self._plan_turn()


def _take(turn: Sequence[_Waiting[Taken]]) -> None:
    for waiting, ahead in zip(turn, read_ahead([each.report for each in turn]), strict=True):
        try:
            taken = waiting.take(ahead)
        except Exception as error:  # it is raised where the report came in
            if not waiting.done.done():
                waiting.done.set_exception(error)
        else:
            if not waiting.done.done():
                waiting.done.set_result(taken)
