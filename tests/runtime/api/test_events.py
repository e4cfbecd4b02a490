"""Event hooks: order, errors, and the recorder that comes before all listeners."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from gevent import GreenletExit

from locust_runtime import log
from locust_runtime.environment import Environment
from locust_runtime.events import EventHook, Events
from locust_runtime.exceptions import (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopTest,
    StopUser,
)

NAMES = {
    "request",
    "user_error",
    "report_to_master",
    "worker_report",
    "worker_connect",
    "spawning_complete",
    "quitting",
    "quit",
    "init",
    "init_command_line_parser",
    "test_start",
    "test_stopping",
    "test_stop",
    "reset_stats",
    "cpu_warning",
    "heartbeat_sent",
    "heartbeat_received",
    "usage_monitor",
}


@pytest.fixture(autouse=True)
def clean_flag() -> Iterator[None]:
    log.unhandled_greenlet_exception = False
    yield
    log.unhandled_greenlet_exception = False


def a_request(**changes: Any) -> dict[str, Any]:
    return {
        "request_type": "GET",
        "name": "/",
        "response_time": 12.5,
        "response_length": 100,
        "exception": None,
    } | changes


def test_all_of_locusts_events_are_there_and_each_is_its_own() -> None:
    """Locustfiles add listeners to any of them."""
    events, others = Events(), Events()
    assert {name for name, value in vars(events).items() if isinstance(value, EventHook)} == NAMES
    assert all(getattr(events, name) is not getattr(others, name) for name in NAMES)


def test_listeners_run_in_order_and_in_reverse_when_asked() -> None:
    """`quitting` unwinds."""
    hook, calls = EventHook(), []
    hook.add_listener(lambda **_: calls.append("a"))
    hook.add_listener(lambda **_: calls.append("b"))
    hook.fire()
    hook.fire(reverse=True)
    assert calls == ["a", "b", "b", "a"]


def test_add_listener_returns_the_handler_so_that_it_decorates() -> None:
    """`@events.init.add_listener` leaves the function what it was."""
    hook = EventHook()

    @hook.add_listener
    def listener(**_: Any) -> None: ...

    assert inspect.isfunction(listener)
    hook.remove_listener(listener)
    with pytest.raises(ValueError):
        hook.remove_listener(listener)


def test_listeners_may_change_the_list_while_it_runs() -> None:
    """One that removes itself must not let the next one be skipped."""
    hook, calls = EventHook(), []

    def once(**_: Any) -> None:
        hook.remove_listener(once)

    hook.add_listener(once)
    hook.add_listener(lambda **_: calls.append("next"))
    hook.fire()
    assert calls == ["next"]


def test_error_in_a_listener_is_logged_and_remembered_and_the_others_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It makes the exit code of the process a failure."""
    hook, calls = EventHook(), []

    def broken(**_: Any) -> None:
        raise ZeroDivisionError

    hook.add_listener(broken)
    hook.add_listener(lambda **_: calls.append("next"))
    hook.fire()
    assert calls == ["next"]
    assert "ZeroDivisionError" in caplog.text
    assert "broken" in caplog.text
    assert log.unhandled_greenlet_exception


@pytest.mark.parametrize(
    "error", [StopUser, StopTest, RescheduleTask, RescheduleTaskImmediately, InterruptTaskSet]
)
def test_exception_that_steers_a_user_leaves_the_hook(error: type[Exception]) -> None:
    """A request listener may end the user that requested."""
    hook = EventHook()

    def steering(**_: Any) -> None:
        raise error

    hook.add_listener(steering)
    with pytest.raises(error):
        hook.fire()
    assert not log.unhandled_greenlet_exception


class Recorder:
    def __init__(self) -> None:
        self.calls: list[Any] = []

    def record(self, *args: Any) -> None:
        self.calls.append(args)

    def record_interrupted(self, *args: Any) -> None:
        self.calls.append(args)


def test_request_is_recorded_before_any_listener_hears_of_it() -> None:
    """Even when the first listener stops the user."""
    environment, recorder = Environment(), Recorder()
    environment.recorder = recorder

    def stop(**_: Any) -> None:
        assert recorder.calls
        raise StopUser

    environment.events.request.add_listener(stop)
    with pytest.raises(StopUser):
        environment.events.request.fire(**a_request())
    assert recorder.calls == [("GET", "/", 12.5, 100, None)]


def test_request_goes_to_the_statistics_when_no_recorder_is_set() -> None:
    """Library use."""
    environment = Environment()
    environment.events.request.fire(**a_request())
    environment.events.request.fire(**a_request(exception=ValueError("bad")))
    assert environment.stats.num_requests == 2
    assert environment.stats.num_failures == 1


def test_request_without_its_arguments_is_logged_and_does_not_raise(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A client of one's own with a mistake must not end users."""
    Environment().events.request.fire(request_type="GET", name="/")
    assert "could not be recorded" in caplog.text


def test_measure_times_the_block_and_passes_on_what_it_changed() -> None:
    """The convenience for clients of one's own."""
    environment, seen = Environment(), []
    environment.events.request.add_listener(lambda **kwargs: seen.append(kwargs))
    with environment.events.request.measure("RPC", "call", context={"a": 1}) as meta:
        meta["response_length"] = 7
    assert seen[0]["response_length"] == 7
    assert seen[0]["context"] == {"a": 1}
    assert seen[0]["response_time"] > 0
    assert environment.stats.entries["call", "RPC"].num_requests == 1


def test_measure_makes_an_exception_a_failure() -> None:
    """It does not leave the block."""
    environment = Environment()
    with environment.events.request.measure("RPC", "call"):
        raise ValueError("bad")
    assert environment.stats.num_failures == 1


def test_measure_counts_a_killed_block_as_interrupted() -> None:
    """Neither a success nor a failure: it has no outcome."""
    environment = Environment()
    with pytest.raises(GreenletExit), environment.events.request.measure("RPC", "call"):
        raise GreenletExit
    assert environment.stats.num_requests == 0
    assert environment.stats.total.num_interrupted == 1


def test_subclass_of_events_gets_hooks_of_its_own() -> None:
    """By annotation, as in Locust."""

    class More(Events):
        cart_full: EventHook

    assert isinstance(More().cart_full, EventHook)
    assert isinstance(More().request, EventHook)
