"""Waiting for a condition with a deadline, the only kind of waiting that tests do.

A fixed sleep is either too short on a busy machine or too long on all others; a condition with a
deadline is neither, and when it fails it shows the last state it saw. Must never swallow what the
condition raises: an exception there is a broken test, not a state to wait through.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

POLL_INTERVAL_S = 0.01
"""Time between two looks: short beside any deadline, long beside the cost of most conditions."""

State = TypeVar("State")


def wait_until(
    condition: Callable[[], State], *, deadline_s: float, describe: str | Callable[[], str]
) -> State:
    """Return the first truthy value of `condition`, asking it at least once.

    `describe` says what is awaited; as a callable it is asked at the deadline and can show more state.
    Raises AssertionError when `deadline_s` seconds have passed, with the last value seen.
    """
    deadline = time.monotonic() + deadline_s
    while not (seen := condition()):
        if time.monotonic() >= deadline:
            raise AssertionError(_failure(describe, deadline_s=deadline_s, seen=seen))
        time.sleep(POLL_INTERVAL_S)
    return seen


@overload
async def wait_until_async(
    condition: Callable[[], Awaitable[State]], *, deadline_s: float, describe: str | Callable[[], str]
) -> State: ...


@overload
async def wait_until_async(
    condition: Callable[[], State], *, deadline_s: float, describe: str | Callable[[], str]
) -> State: ...


async def wait_until_async(
    condition: Callable[[], object], *, deadline_s: float, describe: str | Callable[[], str]
) -> object:
    """As `wait_until`, while the event loop runs on; `condition` may be a coroutine function."""
    deadline = time.monotonic() + deadline_s
    while not (seen := await _value(condition())):
        if time.monotonic() >= deadline:
            raise AssertionError(_failure(describe, deadline_s=deadline_s, seen=seen))
        await asyncio.sleep(POLL_INTERVAL_S)
    return seen


async def _value(found: object) -> object:
    return await found if isinstance(found, Awaitable) else found


def _failure(describe: str | Callable[[], str], *, deadline_s: float, seen: object) -> str:
    awaited = describe if isinstance(describe, str) else describe()
    return f"not within {deadline_s:g} s: {awaited}; last seen: {seen!r}"
