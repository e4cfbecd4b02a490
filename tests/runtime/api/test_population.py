"""The users of a process: who counts as running, who as placed, and what errors do."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from locust_runtime.environment import Environment
from locust_runtime.exceptions import StopTest, StopUser
from locust_runtime.run.spawner import UserPopulation
from locust_runtime.tasks import task
from locust_runtime.users import User
from locust_runtime.wait_time import constant
from tests.support.greenlets import wait_for


class Shopper(User):
    wait_time = constant(1000)

    @task
    def look(self) -> None: ...


class Reader(Shopper):
    pass


class Ending(User):
    @task
    def end(self) -> None:
        raise StopUser


@pytest.fixture
def stop_reasons() -> list[str]:
    return []


@pytest.fixture
def population(stop_reasons: list[str]) -> Iterator[UserPopulation]:
    population = UserPopulation(Environment(), on_stop_test=stop_reasons.append)
    yield population
    gevent.killall(list(population.group), timeout=5)


def start(population: UserPopulation, user_class: type[User], count: int = 1) -> list[Any]:
    users = [population.start_user(user_class) for _ in range(count)]
    gevent.sleep(0)
    return users


def test_users_are_counted_by_class(population: UserPopulation) -> None:
    """Under their names, those that run."""
    start(population, Shopper, 3)
    start(population, Reader, 1)
    assert population.counts() == {"Shopper": 3, "Reader": 1}
    assert len(population.users()) == len(population.group) == 4


def test_greenlet_of_a_user_carries_it(population: UserPopulation) -> None:
    """Scripts look through `runner.user_greenlets` this way."""
    (user,) = start(population, Shopper)
    assert [greenlet.args[0] for greenlet in population.group] == [user]
    assert user.greenlet in user.group


def test_user_that_ended_by_itself_counts_as_placed(population: UserPopulation) -> None:
    """Or a master that wants one such user would start it for ever."""
    start(population, Ending, 2)
    wait_for(lambda: population.running_count(Ending) == 0)
    assert population.placed_count(Ending) == population.ended_count(Ending) == 2


def test_fewer_users_are_taken_from_the_ended_ones_first(population: UserPopulation) -> None:
    """Three of which one ended, reduced to two: both that run go on."""

    class Some(Shopper):
        def on_start(self) -> None:
            if population.running_count(Some) == 1:
                raise StopUser

    start(population, Some)
    wait_for(lambda: population.ended_count(Some) == 1)
    start(population, Shopper)  # another class is not touched
    population.start_user(Some)
    population.start_user(Some)
    gevent.sleep(0)
    population.stop_users(Some, 1)
    assert population.placed_count(Some) == population.running_count(Some) == 2


def test_stopped_users_are_not_placed_from_the_moment_of_the_call(population: UserPopulation) -> None:
    """Comparing again right after must not stop more."""
    start(population, Shopper, 3)
    population.stop_users(Shopper, 2)
    assert population.placed_count(Shopper) == 1
    assert population.running_count(Shopper) == 3
    assert population.wait_stopped(5)
    assert population.running_count(Shopper) == population.placed_count(Shopper) == 1


def test_latest_users_leave_first(population: UserPopulation) -> None:
    """Sessions that are warm stay."""
    oldest, *_ = start(population, Shopper, 3)
    population.stop_users(Shopper, 2)
    population.wait_stopped(5)
    assert population.users() == [oldest]


def test_stopping_more_than_there_are_stops_all(population: UserPopulation) -> None:
    """And counts below zero do not exist."""
    start(population, Shopper, 2)
    population.stop_users(Shopper, 5)
    assert population.placed_count(Shopper) == 0
    population.wait_stopped(5)
    assert population.counts() == {"Shopper": 0}


def test_end_of_a_test_forgets_who_ended(population: UserPopulation) -> None:
    """The next test starts them anew."""
    start(population, Ending)
    wait_for(lambda: population.ended_count(Ending) == 1)
    population.stop_all(0)
    assert population.placed_count(Ending) == 0


def test_error_in_on_start_is_reported_and_ends_the_user_for_good(
    population: UserPopulation, caplog: pytest.LogCaptureFixture
) -> None:
    """user_error fires once, the log has the traceback once, on_stop does not run, no replacement."""
    errors: list[BaseException] = []
    calls: list[str] = []

    class Broken(Shopper):
        def on_start(self) -> None:
            raise ZeroDivisionError("no login")

        def on_stop(self) -> None:
            calls.append("on_stop")

    population._environment.events.user_error.add_listener(lambda exception, **_: errors.append(exception))
    with caplog.at_level(logging.ERROR):
        start(population, Broken)
        wait_for(lambda: population.ended_count(Broken) == 1)
    assert [str(error) for error in errors] == ["no login"]
    assert caplog.text.count("Traceback") == 1
    assert calls == []


@pytest.mark.parametrize("where", ["__init__", "on_start", "task"])
def test_stop_test_is_passed_on_wherever_it_is_raised(
    population: UserPopulation, stop_reasons: list[str], where: str
) -> None:
    """With its text, and the user ends."""

    class Stopping(User):
        def __init__(self, environment: Environment) -> None:
            super().__init__(environment)
            self._raise_in("__init__")

        def on_start(self) -> None:
            self._raise_in("on_start")

        @task
        def look(self) -> None:
            self._raise_in("task")

        def _raise_in(self, place: str) -> None:
            if place == where:
                raise StopTest(f"enough in {place}")

    start(population, Stopping)
    wait_for(lambda: stop_reasons)
    assert stop_reasons == [f"enough in {where}"]
    wait_for(lambda: population.running_count(Stopping) == 0)


def test_constructor_that_fails_ends_that_user_only(population: UserPopulation) -> None:
    """The spawner goes on."""

    class Broken(Shopper):
        def __init__(self, environment: Environment) -> None:
            raise ZeroDivisionError

    class Forgetful(Shopper):
        def __init__(self, environment: Environment) -> None:
            pass

    assert start(population, Broken) == [None]
    assert start(population, Forgetful) == [None]
    assert population.ended_count(Broken) == population.ended_count(Forgetful) == 1


def test_user_may_stop_everybody_including_itself(population: UserPopulation) -> None:
    """`runner.quit()` in a task must not wait for its own end."""

    class Last(Shopper):
        def on_start(self) -> None:
            population.stop_all(0)

    start(population, Shopper, 3)
    start(population, Last)
    wait_for(lambda: not population.users(), state=population.counts)
