"""A test in one process, as library code runs it."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest

from locust_runtime import local_runner
from locust_runtime.environment import Environment
from locust_runtime.exceptions import StopTest
from locust_runtime.local_runner import LocalRunner
from locust_runtime.shape import LoadTestShape
from locust_runtime.tasks import task
from locust_runtime.users import User
from locust_runtime.wait_time import constant
from tests.support.greenlets import wait_for

MakeRunner = Callable[..., LocalRunner]


class Shopper(User):
    weight = 3
    wait_time = constant(1000)

    @task
    def look(self) -> None:
        self.environment.events.request.fire(
            request_type="GET", name="/", response_time=5, response_length=1, exception=None
        )


class Reader(Shopper):
    weight = 1


@pytest.fixture
def make_runner() -> Iterator[MakeRunner]:
    made: list[LocalRunner] = []

    def make(*classes: type[User], **options: Any) -> LocalRunner:
        environment = Environment(user_classes=list(classes), stop_timeout=0, **options)
        made.append(environment.create_local_runner())
        return made[-1]

    yield make
    for runner in made:
        runner.quit()
        runner.greenlet.join(timeout=5)


def fired(environment: Environment) -> list[str]:
    """The names of the events as they come."""
    names: list[str] = []
    for name in ("test_start", "spawning_complete", "test_stopping", "test_stop"):
        getattr(environment.events, name).add_listener(lambda name=name, **_: names.append(name))
    return names


def test_users_start_in_their_mix_and_their_requests_are_counted(make_runner: MakeRunner) -> None:
    """The main use: start, look, stop."""
    runner = make_runner(Shopper, Reader)
    events = fired(runner.environment)
    runner.start(8, spawn_rate=1000)
    wait_for(lambda: runner.state == "running" and runner.stats.num_requests == 8)
    assert runner.user_classes_count == {"Shopper": 6, "Reader": 2}
    assert runner.user_count == runner.target_user_count == 8
    runner.stop()
    assert runner.state == "stopped"
    assert runner.user_count == 0
    assert runner.final_user_classes_count == {"Shopper": 6, "Reader": 2}
    assert events == ["test_start", "spawning_complete", "test_stopping", "test_stop"]


def test_users_are_spread_over_the_ramp(make_runner: MakeRunner) -> None:
    """Each has its own due time, before which it does not start; the first is due at once."""
    started_s: list[float] = []

    class Noting(Shopper):
        def on_start(self) -> None:
            started_s.append(time.monotonic())

    runner = make_runner(Noting)
    called_s = time.monotonic()
    runner.start(4, spawn_rate=20)
    wait_for(lambda: len(started_s) == 4)
    assert all(at_s - called_s >= number / 20 for number, at_s in enumerate(started_s))
    runner.start(5, spawn_rate=0.01)
    assert (runner.state, runner.user_count) == ("spawning", 4)


def test_numbers_can_be_changed_while_it_runs(make_runner: MakeRunner) -> None:
    """Up and down, without a second test_start."""
    runner = make_runner(Shopper, Reader)
    events = fired(runner.environment)
    for count in (4, 12, 2):
        runner.start(count, spawn_rate=1000)
        wait_for(lambda count=count: runner.user_count == count and runner.state == "running")
    assert events.count("test_start") == 1
    assert events.count("spawning_complete") == 3


def test_start_with_classes_uses_those_only(make_runner: MakeRunner) -> None:
    """What shapes give as a third element."""
    runner = make_runner(Shopper, Reader)
    runner.start(3, spawn_rate=1000, user_classes=[Reader], wait=True)
    assert runner.user_classes_count == {"Shopper": 0, "Reader": 3}


def test_second_test_starts_from_zero(make_runner: MakeRunner) -> None:
    """Statistics of the one before are gone."""
    runner = make_runner(Shopper)
    runner.start(2, spawn_rate=1000, wait=True)
    wait_for(lambda: runner.stats.num_requests == 2)
    runner.stop()
    assert runner.stats.num_requests == 2, "they can be read until the next test"
    runner.start(1, spawn_rate=1000, wait=True)
    wait_for(lambda: runner.stats.num_requests == 1)
    assert runner.stats.entries["/", "GET"].num_requests == 1
    assert runner.user_count == 1


def test_statistics_start_anew_when_all_run_if_asked(make_runner: MakeRunner) -> None:
    """--reset-stats."""
    runner = make_runner(Shopper, reset_stats=True)
    seen: list[int] = []
    runner.environment.events.spawning_complete.add_listener(
        lambda user_count: seen.append(runner.stats.num_requests)
    )
    runner.start(3, spawn_rate=1000, wait=True)
    assert seen == [0]


def test_exceptions_of_tasks_are_kept_by_traceback(make_runner: MakeRunner) -> None:
    """`runner.exceptions`."""

    class Broken(User):
        wait_time = constant(1000)

        @task
        def look(self) -> None:
            raise ZeroDivisionError("boom")

    runner = make_runner(Broken)
    runner.start(2, spawn_rate=1000)
    wait_for(lambda: [row["count"] for row in runner.exceptions.values()] == [2])
    (row,) = runner.exceptions.values()
    assert row["msg"] == "boom"
    assert "in look" in row["traceback"]


@pytest.mark.parametrize("headless", [False, True])
def test_stop_test_in_a_task_ends_the_test(make_runner: MakeRunner, headless: bool) -> None:
    """A headless one quits, so that `greenlet.join()` returns."""

    class Last(User):
        @task
        def look(self) -> None:
            raise StopTest("enough")

    runner = make_runner(Last, Shopper, parsed_options=Namespace(headless=headless))
    runner.start(4, spawn_rate=1000)
    wait_for(lambda: runner.state == "stopped")
    assert runner.user_count == 0
    if headless:
        runner.greenlet.join(timeout=5)
        assert len(runner.greenlet) == 0


def test_quit_in_a_task_ends_everything(make_runner: MakeRunner) -> None:
    """Scripts that stop on a threshold do this."""

    class Quitting(User):
        @task
        def look(self) -> None:
            assert self.environment.runner
            self.environment.runner.quit()

    runner = make_runner(Quitting, Shopper)
    runner.start(4, spawn_rate=1000)
    runner.greenlet.join(timeout=5)
    wait_for(lambda: runner.user_count == 0)
    assert runner.state == "stopped"


def test_join_waits_for_quit(make_runner: MakeRunner) -> None:
    """The last line of library scripts."""
    runner = make_runner(Shopper)
    runner.start(1, spawn_rate=1000)
    gevent.spawn_later(0.02, runner.quit)
    runner.greenlet.join(timeout=5)
    assert runner.state == "stopped"


def test_host_of_the_environment_reaches_the_users(make_runner: MakeRunner) -> None:
    """Before the first one is made."""
    own = type("Own", (Shopper,), {"host": "http://a"})
    runner = make_runner(own, host="http://b")
    runner.start(1, spawn_rate=1000, wait=True)
    assert [user.args[0].host for user in runner.user_greenlets] == ["http://b"]


def test_messages_go_to_the_runner_itself(make_runner: MakeRunner) -> None:
    """So a locustfile with messages runs alone too."""
    runner, seen = make_runner(Shopper), []
    runner.register_message("greet", lambda environment, msg: seen.append((msg.data, msg.node_id)))
    runner.send_message("greet", [1])
    assert seen == [([1], "local")]


def test_shape_is_followed_until_it_ends_the_test(
    make_runner: MakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow ramp must not delay the next stage."""
    monkeypatch.setattr(local_runner, "SHAPE_INTERVAL_S", 0.01)

    class Stages(LoadTestShape):
        stages = iter([(1000, 1), (3, 1000), (3, 1000)])

        def tick(self) -> Any:
            if self.get_current_user_count() == 3:
                return None
            return next(self.stages, (3, 1000))

    runner = make_runner(Shopper, shape_class=Stages())
    runner.start_shape()
    wait_for(lambda: runner.state == "stopped", state=lambda: (runner.state, runner.user_count))
    assert runner.target_user_count == 3


def test_spawn_rate_must_be_positive(make_runner: MakeRunner) -> None:
    """Or the ramp would never end."""
    with pytest.raises(ValueError, match="spawn_rate"):
        make_runner(Shopper).start(1, spawn_rate=0)
