"""A TaskSet that runs its tasks in the order in which they stand, over and over."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Any

from locust_runtime.exceptions import LocustError
from locust_runtime.tasks import Task, TaskSet, TaskSetMeta, declared_weight, expand_weights, inherited_tasks


class SequentialTaskSetMeta(TaskSetMeta):
    """Collects a class's tasks in order of declaration; a `tasks` attribute counts where it stands."""

    def __new__(
        mcs, classname: str, bases: tuple[type, ...], class_dict: dict[str, Any]
    ) -> SequentialTaskSetMeta:
        ordered = inherited_tasks(bases)
        for name, attribute in class_dict.items():
            if name == "tasks":
                if not isinstance(attribute, (list, dict)):
                    raise ValueError(f"{classname}.tasks must be a list or a dict, not {attribute!r}")
                ordered += expand_weights(attribute)
            ordered += [attribute] * declared_weight(attribute)
        class_dict["tasks"] = ordered
        # Not TaskSetMeta.__new__, which would collect once more.
        return type.__new__(mcs, classname, bases, class_dict)


class SequentialTaskSet(TaskSet, metaclass=SequentialTaskSetMeta):
    """Runs its tasks one after the other and starts over; a task's weight says how often it repeats."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        self._task_cycle: Iterator[Task] = cycle(self.tasks)

    def get_next_task(self) -> Task:
        """The next task in order. Raises LocustError when the class has none."""
        if not self.tasks:
            raise LocustError(
                f"{type(self).__name__} has no tasks: decorate methods with @task, or set 'tasks'"
            )
        return next(self._task_cycle)
