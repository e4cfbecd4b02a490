"""The Environment: which classes it keeps, what it refuses, and what it changes in classes."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import pytest

from locust_runtime.environment import Environment
from locust_runtime.events import Events
from locust_runtime.exceptions import LocustError, RunnerAlreadyExistsError
from locust_runtime.shape import LoadTestShape
from locust_runtime.tasks import TaskSet, task
from locust_runtime.users import User


def user_class(name: str = "Shopper", **attributes: Any) -> type[User]:
    return type(name, (User,), attributes)


def test_classes_without_users_are_dropped_from_the_callers_list() -> None:
    """Weight 0 and no fixed count; a fixed count alone keeps a class."""
    kept, fixed = user_class("Kept"), user_class("Fixed", weight=0, fixed_count=1)
    classes = [kept, user_class("Dropped", weight=0), fixed]
    environment = Environment(user_classes=classes)
    assert environment.user_classes is classes
    assert classes == [kept, fixed]


def test_nothing_left_is_refused() -> None:
    """A test without users tells nothing."""
    with pytest.raises(ValueError, match="weight"):
        Environment(user_classes=[user_class(weight=0)])


def test_no_class_at_all_is_allowed() -> None:
    """Scripts add them later."""
    assert Environment().user_classes == []


def test_two_classes_with_one_name_are_refused() -> None:
    """Statistics and assignments go by name."""
    with pytest.raises(ValueError, match=r"same name: .*Shopper.*Shopper"):
        Environment(user_classes=[user_class(), user_class()])


def test_shape_must_be_an_instance() -> None:
    """The class itself is the likely slip."""

    class Shape(LoadTestShape):
        def tick(self) -> None:
            return None

    with pytest.raises(ValueError, match="instance"):
        Environment(shape_class=Shape)  # type: ignore[arg-type]
    assert Environment(shape_class=Shape()).shape_class


@pytest.mark.parametrize(
    ("given", "options", "expected"),
    [
        (None, None, 0.0),
        (3, None, 3),
        (None, Namespace(stop_timeout=5), 5.0),
        (0, Namespace(stop_timeout=5), 0),
        (None, Namespace(), 0.0),
    ],
)
def test_stop_timeout_is_the_argument_else_the_option(
    given: float | None, options: Namespace | None, expected: float
) -> None:
    """In seconds; 0 is a value."""
    assert Environment(stop_timeout=given, parsed_options=options).stop_timeout == expected


def test_equal_weights_flatten_nested_tasks() -> None:
    """Each task once, however deep."""

    class Shopper(User):
        weight = 5

        @task(3)
        def look(self) -> None: ...

        @task(2)
        class Cart(TaskSet):
            @task(9)
            def add(self) -> None: ...

    Environment(user_classes=[Shopper]).assign_equal_weights()
    assert Shopper.weight == 1
    assert sorted(each.__name__ for each in Shopper.tasks) == ["add", "look"]
    assert len(Shopper.Cart.tasks) == 9


def test_host_overrides_that_of_all_classes() -> None:
    """--host wins."""
    first, second = user_class("First", host="http://a"), user_class("Second")
    Environment(user_classes=[first, second], host="http://b").apply_host()
    assert (first.host, second.host) == ("http://b", "http://b")
    Environment(user_classes=[first]).apply_host()
    assert first.host == "http://b"


def test_user_class_can_be_edited_by_name() -> None:
    """What the picker and --config-users do."""

    class Shopper(User):
        @task
        def look(self) -> None: ...

        @task
        def buy(self) -> None: ...

    environment = Environment(user_classes=[Shopper])
    environment.update_user_class({"user_class_name": "Shopper", "weight": 7, "tasks": ["buy"], "own": 1})
    assert Shopper.weight == 7
    assert Shopper.json()["tasks"] == ["buy"]
    assert Shopper.own == 1  # type: ignore[attr-defined]
    with pytest.raises(LocustError, match="Shopper"):
        environment.update_user_class({"user_class_name": "Nobody"})


def test_environment_has_one_runner_and_gives_it_to_the_shape() -> None:
    """A second one would count every request twice."""

    class Shape(LoadTestShape):
        def tick(self) -> None:
            return None

    shape = Shape()
    environment = Environment(shape_class=shape)
    runner = environment.create_local_runner()
    assert environment.runner is shape.runner is runner
    with pytest.raises(RunnerAlreadyExistsError):
        environment.create_local_runner()
    runner.quit()


@pytest.mark.parametrize(
    ("method", "command"),
    [
        ("create_master_runner", "locust-master"),
        ("create_worker_runner", "locust-worker"),
        ("create_web_ui", "locust-tui"),
    ],
)
def test_what_is_a_program_of_its_own_says_which(method: str, command: str) -> None:
    """Instead of an AttributeError."""
    with pytest.raises(LocustError, match=command):
        getattr(Environment(), method)("127.0.0.1", 5557)


def test_attributes_that_scripts_read_have_locusts_defaults() -> None:
    """`web_ui` is guarded, `process_exit_code` set, `profile` shown."""
    events = Events()
    environment = Environment(events=events, profile="nightly", locustfile="locustfile.py")
    assert environment.events is events
    assert environment.web_ui is None
    assert environment.process_exit_code is None
    assert (environment.profile, environment.locustfile) == ("nightly", "locustfile.py")
    assert environment.catch_exceptions


def test_full_name_leaves_out_enclosing_functions() -> None:
    """It stands in messages."""

    class Inner(User):
        pass

    assert Inner.fullname().endswith("test_full_name_leaves_out_enclosing_functions.Inner")


def test_abstract_is_not_inherited() -> None:
    """A subclass of an abstract user is meant to run."""
    base = user_class("Base", abstract=True)
    assert base.abstract
    assert not type("Child", (base,), {}).abstract
