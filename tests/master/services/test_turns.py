"""Bursts take turns with the rest of the loop, and nothing of them is lost or overtakes."""

from __future__ import annotations

import asyncio
import time

import pytest

from locust_master.services.turns import Turns

PIECE_S = 0.002


def work() -> None:
    """Keeps the loop for a while, as a report does."""
    until_s = time.perf_counter() + PIECE_S
    while time.perf_counter() < until_s:
        pass


async def burst(turns: Turns, pieces: int) -> list[object]:
    """Lets pieces of work come at once; returns their numbers, with a mark for each time around the loop."""
    seen: list[object] = []
    is_over = False

    async def piece(number: int) -> None:
        async with turns:
            work()
            seen.append(number)

    async def watch() -> None:
        while not is_over:
            seen.append("around")
            await asyncio.sleep(0)

    watcher = asyncio.create_task(watch())
    await asyncio.gather(*(piece(number) for number in range(pieces)))
    is_over = True
    await watcher
    return seen


async def test_loop_goes_around_during_a_burst() -> None:
    """A hundred reports that come together must not keep a heartbeat waiting until the last one."""
    seen = await burst(Turns(PIECE_S), 20)
    longest, row = 0, 0
    for each in seen:
        row = 0 if each == "around" else row + 1
        longest = max(longest, row)
    assert longest <= 2
    assert [each for each in seen if each != "around"] == list(range(20))


async def test_short_pieces_are_not_held_up() -> None:
    """What fits into one turn is done in one."""
    seen = await burst(Turns(10.0), 5)
    assert seen[: seen.index(4) + 1].count("around") <= 1


async def test_piece_that_raises_gives_its_turn_back() -> None:
    """A report that breaks the rules ends its own stream only."""
    turns = Turns(0.0)
    with pytest.raises(ValueError, match="broken"):
        async with turns:
            raise ValueError("broken")
    async with asyncio.timeout(5):
        assert await burst(turns, 3)
