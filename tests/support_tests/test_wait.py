"""What `wait_until` and its async twin promise."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.wait import wait_until, wait_until_async


def test_wait_until_returns_the_first_truthy_value() -> None:
    """The awaited thing is what the test wants next."""
    values = iter([0, None, "", "here", "too late"])
    assert wait_until(lambda: next(values), deadline_s=5, describe="a value") == "here"


def test_wait_until_looks_once_when_the_deadline_is_zero() -> None:
    """A condition that holds already never fails, however slow the machine."""
    assert wait_until(lambda: True, deadline_s=0, describe="the truth") is True


def test_wait_until_shows_what_was_awaited_and_the_last_state_when_time_is_up() -> None:
    """A failure must be readable without running it again."""
    with pytest.raises(AssertionError, match=r"not within 0 s: two users; last seen: \[\]"):
        wait_until(list, deadline_s=0, describe=lambda: "two users")


def test_wait_until_lets_exceptions_of_the_condition_through() -> None:
    """A broken condition is a broken test, not a state to wait through."""
    states: dict[str, bool] = {}
    with pytest.raises(KeyError):
        wait_until(lambda: states["absent"], deadline_s=5, describe="a key")


async def test_wait_until_async_leaves_the_loop_running() -> None:
    """What is awaited often happens on the same loop."""
    happened = asyncio.Event()
    asyncio.get_running_loop().call_soon(happened.set)
    assert await wait_until_async(happened.is_set, deadline_s=5, describe="the event") is True


async def test_wait_until_async_awaits_a_coroutine_condition() -> None:
    """Conditions that ask a server are coroutines."""
    answers = iter([0, 3])

    async def ask() -> int:
        return next(answers)

    assert await wait_until_async(ask, deadline_s=5, describe="an answer") == 3


async def test_wait_until_async_shows_the_last_state_when_time_is_up() -> None:
    """Same promise as the synchronous one."""
    with pytest.raises(AssertionError, match=r"an answer; last seen: 0"):
        await wait_until_async(lambda: 0, deadline_s=0, describe="an answer")
