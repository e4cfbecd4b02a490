"""Reports are taken in turns, and nothing of them is lost or overtakes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from locust_master.merging.ahead import SlicePart
from locust_master.merging.arrays import MAX_TOGETHER
from locust_master.services.intake import Intake
from locust_protocol.v1 import report_pb2
from tests.master.agents import Agent

AROUND = "around"
"""Stands among the numbers of reports for each time that the loop went around."""


def reports(count: int) -> list[report_pb2.Report]:
    made = []
    for number in range(count):
        agent = Agent(number + 1)
        agent.record(1_000 + number)
        made += agent.reports()
    return made


class Seen:
    """What was taken, in order."""

    def __init__(self) -> None:
        self.order: list[object] = []
        self.ahead: dict[int, SlicePart | None] = {}

    def taking(self, number: int) -> Callable[[SlicePart | None], int]:
        def take(ahead: SlicePart | None) -> int:
            self.order.append(number)
            self.ahead[number] = ahead
            return number

        return take


async def burst(made: Sequence[report_pb2.Report]) -> Seen:
    """Lets reports come at once."""
    seen, intake = Seen(), Intake[int]()
    is_over = False

    async def watch() -> None:
        while not is_over:
            seen.order.append(AROUND)
            await asyncio.sleep(0)

    watcher = asyncio.create_task(watch())
    taken = await asyncio.gather(
        *(intake.take(report, seen.taking(number)) for number, report in enumerate(made))
    )
    is_over = True
    await watcher
    assert taken == list(range(len(made)))
    return seen


async def test_reports_that_come_together_are_read_together_and_the_loop_goes_around_between_turns() -> None:
    """A hundred reports that come together must not keep a heartbeat waiting until the last one."""
    seen = await burst(reports(3 * MAX_TOGETHER))
    longest = row = 0
    for each in seen.order:
        row = 0 if each == AROUND else row + 1
        longest = max(longest, row)
    assert longest == MAX_TOGETHER
    assert [each for each in seen.order if each != AROUND] == list(range(3 * MAX_TOGETHER))
    parts = [part for part in seen.ahead.values() if part is not None]
    assert len(parts) == 3 * MAX_TOGETHER
    assert len({id(part.block) for part in parts}) == 3


async def test_a_report_that_raises_raises_where_it_came_in_and_nowhere_else() -> None:
    """A report that breaks the rules ends its own stream only."""
    seen, intake = Seen(), Intake[int]()

    def refuse(ahead: SlicePart | None) -> int:
        raise ValueError("broken")

    first, second, third = reports(3)
    results = await asyncio.gather(
        intake.take(first, seen.taking(1)),
        intake.take(second, refuse),
        intake.take(third, seen.taking(3)),
        return_exceptions=True,
    )
    assert results[::2] == [1, 3]
    assert isinstance(results[1], ValueError)
    assert await intake.take(second, seen.taking(2)) == 2


async def test_a_report_whose_stream_ends_while_it_waits_is_taken_before_that_end_is_seen() -> None:
    """It came, so it counts: the end of a stream must not be noted before its last report."""
    seen, intake = Seen(), Intake[int]()

    async def stream() -> None:
        try:
            await intake.take(report, seen.taking(1))
        finally:
            seen.order.append("ended")

    (report,) = reports(1)
    task = asyncio.create_task(stream())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen.order == [1, "ended"]
    assert await intake.take(report, seen.taking(2)) == 2
    assert seen.order == [1, "ended", 2]


async def test_what_waits_is_taken_at_once_where_somebody_asks_for_it() -> None:
    """A goodbye must not overtake the last report."""
    seen, intake = Seen(), Intake[int]()
    count = MAX_TOGETHER + 3
    tasks = [
        asyncio.create_task(intake.take(report, seen.taking(number)))
        for number, report in enumerate(reports(count))
    ]
    await asyncio.sleep(0)
    intake.take_all()
    assert seen.order == list(range(count))
    assert await asyncio.gather(*tasks) == list(range(count))
