"""How users stop: between tasks, between requests, and what a request on the wire is given."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent import GreenletExit
from gevent.event import Event

from locust_runtime import users
from locust_runtime.environment import Environment
from locust_runtime.exceptions import RequestInterrupted
from locust_runtime.run import spawner
from locust_runtime.run.spawner import UserPopulation
from locust_runtime.tasks import task
from locust_runtime.users import User
from locust_runtime.wait_time import constant
from tests.support.greenlets import wait_for


class Wire:
    """A client that keeps the contract of `users.py`; its requests end when `answer` is set."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.answer = Event()

    def get(self, name: str) -> None:
        user = self.user
        user._requests_in_flight += 1
        try:
            self.answer.wait()
        except GreenletExit:
            user._requests_in_flight -= 1
            user.environment.record_interrupted("GET", name)
            raise
        user._requests_in_flight -= 1
        user.environment.events.request.fire(
            request_type="GET", name=name, response_time=1.0, response_length=0, exception=None
        )
        if user._exit_after_request:
            user._exit_between_requests()


class Noting(User):
    """Notes what happens to it, in `calls`; has no task, since a subclass would inherit it."""

    abstract = True
    wait_time = constant(1000)

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.client = Wire(self)
        self.calls: list[str] = []

    def on_stop(self) -> None:
        self.calls.append("on_stop")


class Visitor(Noting):
    """Requests, then notes that it got behind the request."""

    @task
    def visit(self) -> None:
        self.calls.append("task")
        self.client.get("/")
        self.calls.append("behind")


class Waiting(Noting):
    """Is always between two tasks."""

    @task
    def look(self) -> None:
        self.calls.append("task")


@pytest.fixture
def population(monkeypatch: pytest.MonkeyPatch) -> Iterator[UserPopulation]:
    """Its requests have as long as they need, unless a test is about those that take longer."""
    monkeypatch.setattr("locust_runtime.run.spawner.REQUEST_GRACE_S", 60.0)
    environment = Environment()
    population = UserPopulation(environment, on_stop_test=lambda reason: None)
    yield population
    gevent.killall(list(population.group), timeout=5)


def start(population: UserPopulation, user_class: type[User]) -> Any:
    """A user that is in its first task or beyond."""
    user: Any = population.start_user(user_class)
    wait_for(lambda: "task" in user.calls)
    return user


@pytest.mark.parametrize("timeout_s", [0, 100])
def test_waiting_user_stops_at_once(population: UserPopulation, timeout_s: float) -> None:
    """A wait of 1,000 s must hold nothing up, with a stop timeout or without."""
    user = start(population, Waiting)
    started = time.monotonic()
    population.stop_all(timeout_s)
    assert time.monotonic() - started < 50
    assert user.calls == ["task", "on_stop"]
    assert population.counts() == {"Waiting": 0}


def test_task_ends_within_the_stop_timeout(population: UserPopulation) -> None:
    """With a timeout the whole task is done, not only its request."""
    user = start(population, Visitor)
    stopping = gevent.spawn(population.stop_all, 100)
    gevent.sleep(0)
    user.client.answer.set()
    stopping.join(timeout=20)
    assert user.calls == ["task", "behind", "on_stop"]
    assert user.environment.stats.num_requests == 1


def test_request_on_the_wire_is_finished_and_recorded_then_the_user_leaves(
    population: UserPopulation,
) -> None:
    """Without a timeout the stop takes effect behind the request, and what was sent is recorded."""
    user = start(population, Visitor)
    stopping = gevent.spawn(population.stop_all, 0)
    wait_for(lambda: user._exit_after_request)
    user.client.answer.set()
    stopping.join(timeout=20)
    assert user.calls == ["task", "on_stop"]
    stats = user.environment.stats
    assert (stats.num_requests, stats.total.num_interrupted) == (1, 0)


def test_request_that_takes_longer_than_its_grace_is_interrupted(
    population: UserPopulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts as interrupted, not as a request and not as a failure."""
    monkeypatch.setattr("locust_runtime.run.spawner.REQUEST_GRACE_S", 0.05)
    user = start(population, Visitor)
    population.stop_all(0)
    stats = user.environment.stats
    assert user.calls == ["task", "on_stop"]
    assert (stats.num_requests, stats.num_failures, stats.total.num_interrupted) == (0, 0, 1)
    assert stats.entries["/", "GET"].num_interrupted == 1
    assert user._requests_in_flight == 0


def test_grace_of_a_request_is_one_second() -> None:
    """What users are promised."""
    assert spawner.REQUEST_GRACE_S == users.REQUEST_GRACE_S == 1.0


def test_interruption_is_no_exception_that_user_code_swallows() -> None:
    """`except Exception` around a request must not keep a user alive."""
    assert issubclass(RequestInterrupted, GreenletExit)
    assert not issubclass(RequestInterrupted, Exception)


def test_stop_timeout_is_followed_by_the_grace_of_the_request(
    population: UserPopulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that does not end in time is forced."""
    monkeypatch.setattr("locust_runtime.run.spawner.REQUEST_GRACE_S", 0.05)
    user = start(population, Visitor)
    population.stop_all(0.05)
    assert user.calls == ["task", "on_stop"]
    assert user.environment.stats.total.num_interrupted == 1


def test_on_stop_may_request_though_the_user_was_forced_out(population: UserPopulation) -> None:
    """Logging out is what on_stop is for: its request must neither be cut nor end it early."""

    class Polite(Visitor):
        def on_stop(self) -> None:
            self.client.get("/logout")
            self.calls.append("logged out")

    user = start(population, Polite)
    stopping = gevent.spawn(population.stop_all, 0)
    wait_for(lambda: user._exit_after_request)
    user.client.answer.set()
    stopping.join(timeout=20)
    assert user.calls == ["task", "logged out"]
    assert {name for name, _ in user.environment.stats.entries} == {"/", "/logout"}


def test_second_stop_does_not_cut_on_stop_short(population: UserPopulation) -> None:
    """A ramp-down and the end of the test may both want the same user gone."""
    release = Event()

    class Slow(Waiting):
        def on_stop(self) -> None:
            self.calls.append("begin")
            release.wait()
            self.calls.append("end")

    user = start(population, Slow)
    population.stop_users(Slow, 1)
    wait_for(lambda: "begin" in user.calls)
    stopping = gevent.spawn(population.stop_all, 0)
    gevent.sleep(0)
    release.set()
    stopping.join(timeout=20)
    assert user.calls == ["task", "begin", "end"]


def test_on_stop_has_a_limit(population: UserPopulation, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that hangs must not keep a test from ending."""
    monkeypatch.setattr("locust_runtime.run.spawner.ON_STOP_LIMIT_S", 0.05)
    monkeypatch.setattr("locust_runtime.run.spawner.REQUEST_GRACE_S", 0.05)

    class Hanging(Waiting):
        def on_stop(self) -> None:
            Event().wait()

    start(population, Hanging)
    population.stop_all(0)
    wait_for(lambda: population.counts() == {"Hanging": 0}, state=population.counts)


def test_request_of_a_helper_greenlet_holds_the_user_too(population: UserPopulation) -> None:
    """Users that request in parallel have them finished before they leave."""

    class Parallel(Noting):
        @task
        def visit(self) -> None:
            helper = gevent.spawn(self.client.get, "/part")
            self.calls.append("task")
            helper.join()
            Event().wait()

    user = start(population, Parallel)
    wait_for(lambda: user._requests_in_flight == 1)
    stopping = gevent.spawn(population.stop_all, 0)
    wait_for(lambda: user._exit_after_request)
    user.client.answer.set()
    stopping.join(timeout=20)
    assert user.environment.stats.num_requests == 1
    assert user.calls == ["task", "on_stop"]


def test_user_that_stops_itself_ends(population: UserPopulation) -> None:
    """`self.stop()` lets the task end; `self.stop(force=True)` does not return."""

    class Leaving(Noting):
        @task
        def look(self) -> None:
            self.calls.append("task")
            self.stop()
            self.calls.append("behind")

    class Leaping(Noting):
        @task
        def look(self) -> None:
            self.calls.append("task")
            self.stop(force=True)
            self.calls.append("behind")

    leaving, leaping = start(population, Leaving), start(population, Leaping)
    wait_for(lambda: "on_stop" in leaving.calls and "on_stop" in leaping.calls)
    assert leaving.calls == ["task", "behind", "on_stop"]
    assert leaping.calls == ["task", "on_stop"]


def test_forced_stop_from_outside_waits_for_on_stop(population: UserPopulation) -> None:
    """`user.stop(force=True)` says that it has ended, so it must have."""
    user = start(population, Waiting)
    assert user.stop(force=True) is True
    assert user.calls == ["task", "on_stop"]


def test_user_that_is_stopped_right_after_its_start_is_gone(population: UserPopulation) -> None:
    """It may have run or not; if it did, on_stop did too."""
    user: Any = population.start_user(Waiting)
    population.stop_all(0)
    assert user.calls in ([], ["on_stop"], ["task", "on_stop"])
    assert population.counts() == {"Waiting": 0}


@pytest.mark.parametrize("timeout_s", [0, 100])
def test_stop_that_meets_a_user_about_to_go_on_hits_no_request(
    population: UserPopulation, timeout_s: float
) -> None:
    """A user whose wait is over, but which did not run yet, starts its next request first: that one is
    finished and recorded, not interrupted."""

    class Quick(Visitor):
        wait_time = constant(0)

    users = [start(population, Quick) for _ in range(20)]
    for user in users:
        user.client.answer.set()
    wait_for(lambda: all(len(user.calls) > 3 for user in users))
    population.stop_all(timeout_s)
    stats = population._environment.stats
    assert stats.num_requests == sum(user.calls.count("task") for user in users)
    assert stats.total.num_interrupted == 0
