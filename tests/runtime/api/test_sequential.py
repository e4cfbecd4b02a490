"""SequentialTaskSet: order of declaration, repeats, and starting over."""

from __future__ import annotations

from itertools import islice
from typing import Any, ClassVar

import pytest

from locust_runtime.environment import Environment
from locust_runtime.exceptions import LocustError
from locust_runtime.sequential import SequentialTaskSet
from locust_runtime.tasks import task
from locust_runtime.users import User


class Shopper(User):
    pass


def order(task_set: type[SequentialTaskSet], count: int) -> list[str]:
    instance = task_set(Shopper(Environment()))
    return [instance.get_next_task().__name__ for _ in islice(range(count), count)]


def free(task_set: Any) -> None: ...


def test_tasks_run_in_order_of_declaration_with_repeats_and_cycle() -> None:
    """A weight says how often a step repeats."""

    class Visit(SequentialTaskSet):
        @task
        def enter(self) -> None: ...

        @task(2)
        def look(self) -> None: ...

        tasks: ClassVar = [free]

        @task
        def leave(self) -> None: ...

    assert order(Visit, 6) == ["enter", "look", "look", "free", "leave", "enter"]


def test_steps_of_the_base_come_first() -> None:
    """Inheritance adds at the end."""

    class Base(SequentialTaskSet):
        @task
        def enter(self) -> None: ...

    class Visit(Base):
        @task
        def leave(self) -> None: ...

    assert order(Visit, 3) == ["enter", "leave", "enter"]


def test_weights_in_tasks_repeat() -> None:
    """Dict and pairs."""

    class Visit(SequentialTaskSet):
        tasks: ClassVar = {free: 2}

    assert order(Visit, 2) == ["free", "free"]


def test_two_users_have_a_position_each() -> None:
    """The cycle belongs to the instance."""

    class Visit(SequentialTaskSet):
        @task
        def enter(self) -> None: ...

        @task
        def leave(self) -> None: ...

    assert order(Visit, 1) == order(Visit, 1) == ["enter"]


def test_other_forms_of_tasks_are_refused_at_creation() -> None:
    """A set has no order."""
    with pytest.raises(ValueError, match="list or a dict"):
        type("Visit", (SequentialTaskSet,), {"tasks": {free}})


def test_empty_sequence_says_what_to_do() -> None:
    """Instead of a StopIteration somewhere."""
    with pytest.raises(LocustError, match="@task"):
        order(SequentialTaskSet, 1)
