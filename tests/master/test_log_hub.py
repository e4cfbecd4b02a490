"""The fleet's log records in one bounded ring."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from locust_master import log_hub as log_hub_module
from locust_master.log_hub import MAX_PAST_RECORDS, MAX_TEXT_CHARS, RING_RECORDS, LogHub, level_of
from locust_protocol.v1 import report_pb2

Level = report_pb2.LogLevel


def record(
    text: str, level: report_pb2.LogLevel.ValueType = report_pb2.LOG_LEVEL_INFO
) -> report_pb2.LogRecord:
    return report_pb2.LogRecord(text=text, level=level)


def follow(
    hub: LogHub, *, past: int = 0, least: report_pb2.LogLevel.ValueType = report_pb2.LOG_LEVEL_UNSPECIFIED
) -> AsyncIterator[tuple[list[report_pb2.LogRecord], int]]:
    return hub.follow(past_records=past, min_level=least)


async def taken(follower: AsyncIterator[tuple[list[report_pb2.LogRecord], int]]) -> tuple[list[str], int]:
    async with asyncio.timeout(5):
        records, skipped = await anext(follower)
    return [each.text for each in records], skipped


async def test_follower_gets_the_past_it_asks_for_and_what_comes() -> None:
    """A screen that opens shows how it came to this."""
    hub = LogHub()
    for text in "abc":
        hub.add(record(text))
    follower = follow(hub, past=2)
    assert await taken(follower) == (["b", "c"], 0)
    hub.add(record("d"))
    assert await taken(follower) == (["d"], 0)


async def test_follower_without_a_past_gets_only_what_comes() -> None:
    """And nothing at all before."""
    hub = LogHub()
    hub.add(record("a"))
    first = asyncio.create_task(taken(follow(hub)))
    await asyncio.sleep(0)
    assert not first.done()
    hub.add(record("b"))
    assert await first == (["b"], 0)


async def test_slow_follower_is_told_how_many_it_missed() -> None:
    """The ring is bounded; a hole is said, never silent."""
    hub = LogHub()
    follower = follow(hub, past=1)
    hub.add(record("first"))
    assert await taken(follower) == (["first"], 0)
    for number in range(RING_RECORDS + 7):
        hub.add(record(str(number)))
    texts, skipped = await taken(follower)
    assert skipped == 7
    assert texts[0] == "7"
    texts, skipped = await taken(follower)
    assert skipped == 0


@pytest.mark.parametrize("past", [10**6, 2**32 - 1])
async def test_past_that_is_not_kept_is_not_called_missed(past: int) -> None:
    """Nobody was slow."""
    hub = LogHub()
    for number in range(RING_RECORDS + 50):
        hub.add(record(str(number)))
    texts, skipped = await taken(follow(hub, past=past))
    assert skipped == 0
    assert len(texts) == MAX_PAST_RECORDS
    assert texts[-1] == str(RING_RECORDS + 49)


async def test_records_below_the_level_are_left_out_and_not_counted_as_missed() -> None:
    """A record that does not say counts as information."""
    hub = LogHub()
    hub.add(record("debug", Level.LOG_LEVEL_DEBUG))
    hub.add(record("unsaid", Level.LOG_LEVEL_UNSPECIFIED))
    hub.add(record("error", Level.LOG_LEVEL_ERROR))
    assert await taken(follow(hub, past=9, least=Level.LOG_LEVEL_INFO)) == (["unsaid", "error"], 0)
    assert await taken(follow(hub, past=9, least=Level.LOG_LEVEL_WARNING)) == (["error"], 0)


async def test_all_followers_get_every_record() -> None:
    """One reader takes nothing from another."""
    hub = LogHub()
    followers = [asyncio.create_task(taken(follow(hub))) for _ in range(3)]
    await asyncio.sleep(0)
    hub.add(record("a"))
    assert [await each for each in followers] == [(["a"], 0)] * 3


def made(text: str, *args: object, level: int = logging.WARNING) -> logging.LogRecord:
    return logging.LogRecord("locust_master.x", level, "f.py", 1, text, args, None)


async def test_own_records_are_the_master_s() -> None:
    """Screens say who said it."""
    hub = LogHub()
    hub.emit(made("value=%d", 5))
    records, _ = await anext(follow(hub, past=1))
    (one,) = records
    assert (one.source, one.worker, one.logger, one.text) == ("master", "", "locust_master.x", "value=5")
    assert one.level == Level.LOG_LEVEL_WARNING
    assert one.wall_ms > 0


async def test_record_with_arguments_that_do_not_fit_is_shown_as_it_is() -> None:
    """A slip in a log call must not break the master."""
    hub = LogHub()
    hub.emit(made("value=%d", "five"))
    assert await taken(follow(hub, past=1)) == (["value=%d"], 0)


async def test_long_text_is_cut() -> None:
    """A record of megabytes must not fill the ring's memory."""
    hub = LogHub()
    hub.emit(made("x" * (MAX_TEXT_CHARS + 1)))
    texts, _ = await taken(follow(hub, past=1))
    assert len(texts[0]) == MAX_TEXT_CHARS


async def test_other_threads_may_log() -> None:
    """The store's thread does, and followers must wake for it."""
    hub = LogHub()
    waiting = asyncio.create_task(taken(follow(hub)))
    await asyncio.sleep(0)
    thread = threading.Thread(target=hub.emit, args=(made("from the store"),))
    thread.start()
    assert await waiting == (["from the store"], 0)
    thread.join()


def test_thread_that_logs_after_the_loop_ended_is_not_disturbed() -> None:
    """The handler may outlive the master."""

    async def make() -> LogHub:
        return LogHub()

    hub = asyncio.run(make())
    with ThreadPoolExecutor(1) as pool:
        failed = pool.submit(hub.emit, made("late")).exception(timeout=5)
    assert failed is None


@pytest.mark.parametrize(
    ("number", "level"),
    [
        (0, Level.LOG_LEVEL_DEBUG),
        (10, Level.LOG_LEVEL_DEBUG),
        (20, Level.LOG_LEVEL_INFO),
        (25, Level.LOG_LEVEL_INFO),
        (30, Level.LOG_LEVEL_WARNING),
        (40, Level.LOG_LEVEL_ERROR),
        (50, Level.LOG_LEVEL_ERROR),
    ],
)
def test_levels_of_python_are_those_of_the_schema(number: int, level: int) -> None:
    """Levels between two are the lower one."""
    assert level_of(number) == level


async def test_batches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One message must not hold the whole ring."""
    monkeypatch.setattr(log_hub_module, "MAX_BATCH", 2)
    hub = LogHub()
    for text in "abc":
        hub.add(record(text))
    follower = follow(hub, past=3)
    assert [await taken(follower) for _ in range(2)] == [(["a", "b"], 0), (["c"], 0)]
