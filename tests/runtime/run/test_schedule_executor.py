"""Executing schedules: the right number of users at the right time, whatever came before."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, cast

import gevent
import pytest

from locust_protocol.schedule import Span, UserSchedule
from locust_runtime.run.schedule import Goals, ScheduleExecutor
from locust_runtime.run.spawner import UserPopulation
from locust_runtime.users import User


class Shopper(User):
    pass


class Reader(User):
    pass


class Crowd:
    """A population that only counts, and notes when."""

    def __init__(self) -> None:
        self.placed: Counter[type[User]] = Counter()
        self.started: list[type[User]] = []
        self.started_us: list[int] = []
        self.stops: list[tuple[type[User], int]] = []
        self.constructor: Callable[[], None] = lambda: None
        self.zero_ns = time.monotonic_ns()

    def placed_count(self, user_class: type[User]) -> int:
        return self.placed[user_class]

    def start_user(self, user_class: type[User]) -> None:
        self.constructor()
        self.placed[user_class] += 1
        self.started.append(user_class)
        self.started_us.append((time.monotonic_ns() - self.zero_ns) // 1000)

    def stop_users(self, user_class: type[User], count: int) -> None:
        self.placed[user_class] -= count
        self.stops.append((user_class, count))


class Bench:
    """An executor with what it said."""

    def __init__(self) -> None:
        self.crowd = Crowd()
        self.levels: list[tuple[int, bool]] = []
        self.executor = ScheduleExecutor(cast(UserPopulation, self.crowd), on_level=self._note)

    def _note(self, goals: Goals, is_complete: bool) -> None:
        self.levels.append((goals.generation, is_complete))

    def set_goals(self, generation: int = 1, **schedules: UserSchedule) -> None:
        classes = {"Shopper": Shopper, "Reader": Reader}
        self.executor.set_goals(
            Goals(
                generation=generation,
                run_start_ns=self.crowd.zero_ns,
                schedules=tuple((classes[name], each) for name, each in schedules.items()),
            )
        )

    def wait_for(self, condition: Callable[[], Any]) -> None:
        with gevent.Timeout(30):
            while not condition():
                gevent.sleep(0.005)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    gevent.kill(bench.executor._greenlet)


def at_once(name: str, count: int) -> UserSchedule:
    return UserSchedule(user_class=name, base_users=count, spans=())


def test_executor_reaches_the_base_and_says_that_it_is_complete(bench: Bench) -> None:
    """More users than one step starts."""
    bench.set_goals(generation=7, Shopper=at_once("Shopper", 35), Reader=at_once("Reader", 4))
    bench.wait_for(lambda: bench.levels)
    assert bench.crowd.placed == {Shopper: 35, Reader: 4}
    assert bench.levels == [(7, True)]


def test_executor_starts_each_user_at_its_due_time_and_never_before(bench: Bench) -> None:
    """That is what a spawn rate means."""
    spans = (Span(first_due_us=50_000, interval_us=30_000, count=4, change=1),)
    bench.set_goals(Shopper=UserSchedule("Shopper", 1, spans))
    bench.wait_for(lambda: (1, True) in bench.levels)
    due_us = [0, 50_000, 80_000, 110_000, 140_000]
    assert len(bench.crowd.started_us) == len(due_us)
    assert all(at >= due for at, due in zip(bench.crowd.started_us, due_us, strict=True))


def test_executor_stops_users_when_less_are_due_or_a_class_has_no_goal_any_more(bench: Bench) -> None:
    """The newest goals replace all before them."""
    bench.set_goals(Shopper=at_once("Shopper", 9), Reader=at_once("Reader", 5))
    bench.wait_for(lambda: bench.levels)
    bench.set_goals(generation=2, Shopper=at_once("Shopper", 4))
    bench.wait_for(lambda: (2, True) in bench.levels)
    assert +bench.crowd.placed == {Shopper: 4}
    assert bench.crowd.stops == [(Shopper, 5), (Reader, 5)]


def test_executor_changes_nothing_when_told_the_same_again(bench: Bench) -> None:
    """Desired state, not events."""
    for generation in (1, 2, 3):
        bench.set_goals(generation=generation, Shopper=at_once("Shopper", 6))
        bench.wait_for(lambda: len(bench.levels) == generation)  # noqa: B023 - awaited at once
    assert len(bench.crowd.started_us) == 6
    assert not bench.crowd.stops


def test_executor_drops_a_schedule_that_is_replaced_half_way(bench: Bench) -> None:
    """What was due later under the old goals never happens."""
    late = (Span(first_due_us=100_000, interval_us=0, count=50, change=1),)
    bench.set_goals(Shopper=UserSchedule("Shopper", 2, late))
    bench.wait_for(lambda: bench.levels)  # complete already where the machine stood still meanwhile
    bench.set_goals(generation=2, Shopper=at_once("Shopper", 3))
    bench.wait_for(lambda: (time.monotonic_ns() - bench.crowd.zero_ns) > 200_000_000)
    assert bench.crowd.placed[Shopper] == 3


def test_executor_starts_nobody_after_halt_when_a_constructor_blocks(bench: Bench) -> None:
    """A user that is made while the run ends would outlive it."""
    is_making = gevent.event.Event()

    def block() -> None:
        is_making.set()
        gevent.sleep(60)

    bench.crowd.constructor = block
    bench.set_goals(Shopper=at_once("Shopper", 1))
    assert is_making.wait(timeout=10)
    bench.executor.halt()
    assert not +bench.crowd.placed
    bench.crowd.constructor = lambda: None
    bench.set_goals(generation=2, Shopper=at_once("Shopper", 2))
    bench.wait_for(lambda: bench.crowd.placed[Shopper] == 2)


def test_executor_that_is_late_starts_users_in_the_order_in_which_they_were_due(bench: Bench) -> None:
    """After a pause of the process the class mix is what it would have been without it."""
    bench.crowd.zero_ns -= 1_000_000_000
    bench.set_goals(
        Shopper=UserSchedule("Shopper", 0, (Span(first_due_us=0, interval_us=30_000, count=14, change=1),)),
        Reader=UserSchedule("Reader", 0, (Span(first_due_us=10_000, interval_us=60_000, count=7, change=1),)),
    )
    bench.wait_for(lambda: (1, True) in bench.levels)
    assert bench.crowd.started == [Shopper, Reader, Shopper] * 7


def test_executor_stops_users_before_it_starts_others(bench: Bench) -> None:
    """In between there are never more users than before or after."""
    bench.set_goals(Shopper=at_once("Shopper", 1), Reader=at_once("Reader", 5))
    bench.wait_for(lambda: bench.levels)
    bench.crowd.constructor = lambda: totals.append(bench.crowd.placed.total())
    totals: list[int] = []
    bench.set_goals(generation=2, Shopper=at_once("Shopper", 5), Reader=at_once("Reader", 1))
    bench.wait_for(lambda: (2, True) in bench.levels)
    assert totals == [2, 3, 4, 5]


def test_executor_does_a_change_that_became_due_while_it_was_starting_users(bench: Bench) -> None:
    """Making a user takes time; what falls due meanwhile is neither past nor in the future."""
    due_us = 40_000

    def is_due() -> bool:
        return time.monotonic_ns() - bench.crowd.zero_ns >= due_us * 1000

    def constructor_that_outlasts_the_due_time() -> None:
        while not is_due():
            pass

    bench.crowd.zero_ns = time.monotonic_ns()
    bench.crowd.constructor = constructor_that_outlasts_the_due_time
    spans = (Span(first_due_us=due_us, interval_us=0, count=1, change=1),)
    bench.set_goals(Shopper=UserSchedule("Shopper", 1, spans))
    bench.wait_for(lambda: bench.crowd.placed[Shopper] == 2)
    bench.wait_for(lambda: (1, True) in bench.levels)
