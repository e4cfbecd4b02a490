"""MarkovTaskSet: the chain is checked at creation and followed at run time."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

import pytest

from locust_runtime.environment import Environment
from locust_runtime.markov import (
    InvalidTransitionError,
    MarkovTaskSet,
    MarkovTaskTagError,
    NoMarkovTasksError,
    NonMarkovTaskTransitionError,
    transition,
    transitions,
)
from locust_runtime.tags import tag
from locust_runtime.users import User


class Shopper(User):
    pass


def walk(chain: type[MarkovTaskSet], count: int) -> list[str]:
    instance = chain(Shopper(Environment()))
    return [instance.get_next_task().__name__ for _ in range(count)]


def test_chain_starts_at_the_first_step_and_follows_transitions() -> None:
    """With one way to go everywhere the path is certain."""

    class Visit(MarkovTaskSet):
        @transition("look")
        def enter(self) -> None: ...

        @transition("leave")
        def look(self) -> None: ...

        @transition("enter")
        def leave(self) -> None: ...

    assert walk(Visit, 4) == ["enter", "look", "leave", "enter"]


def test_weights_decide_how_often() -> None:
    """A weight of 0 is never taken; the forms of `transitions` mean the same."""

    class Visit(MarkovTaskSet):
        @transitions({"look": 0, "enter": 3})
        def enter(self) -> None: ...

        @transitions(["enter", ("look", 1)])
        def look(self) -> None: ...

    assert set(walk(Visit, 50)) == {"enter"}


def test_decorators_stack() -> None:
    """Each `@transition` adds one."""

    class Visit(MarkovTaskSet):
        @transition("look", weight=2)
        @transition("enter")
        def enter(self) -> None: ...

        @transition("enter")
        def look(self) -> None: ...

    assert Visit.enter.transitions == {"enter": 1, "look": 2}  # type: ignore[attr-defined]


def step(**following: int) -> Any:
    @transitions(following)
    def a_step(self: Any) -> None: ...

    return a_step


@pytest.mark.parametrize(
    ("attributes", "error"),
    [
        ({}, NoMarkovTasksError),
        ({"enter": step(nowhere=1)}, InvalidTransitionError),
        ({"enter": step(plain=1), "plain": lambda self: None}, NonMarkovTaskTransitionError),
        ({"enter": tag("x")(step(enter=1))}, MarkovTaskTagError),
    ],
)
def test_broken_chain_is_refused_at_creation(attributes: dict[str, Any], error: type[Exception]) -> None:
    """Before the test starts, not in the middle of it."""
    with pytest.raises(error):
        type("Visit", (MarkovTaskSet,), attributes)


def test_step_that_nothing_leads_to_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """It may be meant, but seldom is."""
    with caplog.at_level(logging.WARNING):
        type("Visit", (MarkovTaskSet,), {"enter": step(enter=1), "lost": step(enter=1)})
    assert "lost" in caplog.text


def test_abstract_chain_is_not_checked() -> None:
    """It is made to be subclassed."""
    assert type("Base", (MarkovTaskSet,), {"abstract": True}).abstract  # type: ignore[attr-defined]


def test_chain_runs_as_a_task_of_a_user() -> None:
    """Steps get the chain as self."""
    seen: list[str] = []

    class Visit(MarkovTaskSet):
        @transition("leave")
        def enter(self) -> None:
            seen.append(type(self.user).__name__)

        @transition("enter")
        def leave(self) -> None:
            self.user.stop()

    class Visitor(User):
        tasks: ClassVar = [Visit]

    Visitor(Environment()).run()
    assert seen == ["Visitor"]
