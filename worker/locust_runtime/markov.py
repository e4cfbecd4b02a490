"""A TaskSet whose next task depends, by chance, on the one before: a Markov chain of methods.

A chain is checked when its class is created, so that a misspelt transition fails before the test starts.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from locust_runtime.exceptions import LocustError
from locust_runtime.tasks import Task, TaskSet, TaskSetMeta, refuse_reserved_name

logger = logging.getLogger(__name__)

StepT = TypeVar("StepT", bound=Callable[..., Any])


class NoMarkovTasksError(LocustError):
    """The class has no method with a transition."""


class InvalidTransitionError(LocustError):
    """A transition names a method that does not exist."""


class NonMarkovTaskTransitionError(LocustError):
    """A transition names a method that has no transitions of its own: the chain would end there."""


class MarkovTaskTagError(LocustError):
    """A step has tags; filtering it out would break the chain."""


def transition(func_name: str, weight: int = 1) -> Callable[[StepT], StepT]:
    """Lets the step `func_name` follow the decorated one, `weight` times as likely as a transition of 1."""
    return transitions({func_name: weight})


def transitions(weights: dict[str, int] | list[tuple[str, int] | str]) -> Callable[[StepT], StepT]:
    """Lets several steps follow: a dict of weights, or a list of names and (name, weight) pairs."""
    if isinstance(weights, dict):
        following = dict(weights)
    else:
        following = dict((item, 1) if isinstance(item, str) else item for item in weights)

    def attach(decorated: StepT) -> StepT:
        known: dict[str, int] = getattr(decorated, "transitions", {})
        decorated.transitions = known | following  # type: ignore[attr-defined]
        return decorated

    return attach


class MarkovTaskSetMeta(TaskSetMeta):
    """Collects the steps of a class (inherited ones too) and checks that they form a chain."""

    def __new__(
        mcs, classname: str, bases: tuple[type, ...], class_dict: dict[str, Any]
    ) -> MarkovTaskSetMeta:
        class_dict["abstract"] = bool(class_dict.get("abstract"))
        steps: dict[str, Any] = {}
        for base in reversed(bases):
            steps |= getattr(base, "_markov_tasks", {})
        own = {name: value for name, value in class_dict.items() if "transitions" in dir(value)}
        steps |= own
        class_dict["_markov_tasks"] = steps
        if not class_dict["abstract"]:
            if not steps:
                raise NoMarkovTasksError(f"{classname} has no steps: decorate methods with @transition")
            first = next(iter(own or steps))
            _check_chain(classname, steps, first, class_dict)
            class_dict["current"] = steps[first]
        # Not TaskSetMeta.__new__: a chain has no `tasks` to collect.
        return type.__new__(mcs, classname, bases, class_dict)


def _check_chain(classname: str, steps: dict[str, Any], first: str, class_dict: dict[str, Any]) -> None:
    for name, step in steps.items():
        refuse_reserved_name(name, decorator="@transition")
        if "locust_tag_set" in dir(step):
            raise MarkovTaskTagError(f"{classname}.{name} has tags, which a Markov chain cannot have")
        for target in step.transitions:
            if target in steps:
                continue
            if target not in class_dict:
                raise InvalidTransitionError(f"{classname}.{name} leads to {target}, which does not exist")
            raise NonMarkovTaskTransitionError(
                f"{classname}.{name} leads to {target}, which has no transition of its own"
            )
    unreachable = steps.keys() - _reachable(steps, first)
    if unreachable:
        logger.warning("no transition leads to these steps of %s: %s", classname, sorted(unreachable))


def _reachable(steps: dict[str, Any], first: str) -> set[str]:
    seen = {first}
    frontier = [first]
    while frontier:
        for target, weight in steps[frontier.pop()].transitions.items():
            if weight > 0 and target not in seen:
                seen.add(target)
                frontier.append(target)
    return seen


class MarkovTaskSet(TaskSet, metaclass=MarkovTaskSetMeta):
    """Starts at its first step; each step's transitions say what may follow, and how likely."""

    abstract: ClassVar[bool] = True
    """An abstract class is made to be subclassed, and not checked."""

    _markov_tasks: ClassVar[dict[str, Any]] = {}
    current: Any
    """The step to run next."""

    def get_next_task(self) -> Task:
        """The current step; chooses the one after it."""
        step: Task = self.current
        following: dict[str, int] = step.transitions  # type: ignore[attr-defined]
        chosen = random.choices(list(following), weights=list(following.values()))[0]
        self.current = getattr(self, chosen)
        return step
