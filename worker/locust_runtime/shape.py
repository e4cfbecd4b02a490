"""Load shapes: a locustfile's own rule for how many users run, and when.

A shape is asked about once a second, on the node that decides (the script host, or a LocalRunner).
"""

from __future__ import annotations

import time
from abc import ABCMeta, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from locust_runtime.runners import Runner
    from locust_runtime.users import User

Tick = tuple[int, float] | tuple[int, float, "list[type[User]] | None"]
"""Users wanted, users to start or stop per second, and optionally the classes to take them from."""


class LoadTestShapeMeta(ABCMeta):
    """A shape class is concrete unless it says `abstract = True` itself."""

    def __new__(
        mcs, classname: str, bases: tuple[type, ...], class_dict: dict[str, Any], /, **kwargs: Any
    ) -> LoadTestShapeMeta:
        class_dict["abstract"] = class_dict.get("abstract", False)
        return super().__new__(mcs, classname, bases, class_dict, **kwargs)


class LoadTestShape(metaclass=LoadTestShapeMeta):
    """Base of shapes: subclass it and write `tick`."""

    runner: Runner | None = None
    """The runner of the test; set before the first tick."""

    abstract: ClassVar[bool] = True
    """An abstract shape is made to be subclassed, and not run."""

    use_common_options: ClassVar[bool] = False
    """Whether the shape reads -u, -r and -t; otherwise they are refused beside it."""

    def __init__(self) -> None:
        self.start_time = time.perf_counter()

    def reset_time(self) -> None:
        """Lets the run time start at 0 again."""
        self.start_time = time.perf_counter()

    def get_run_time(self) -> float:
        """Seconds since the test started."""
        return time.perf_counter() - self.start_time

    def get_current_user_count(self) -> int:
        """Users that run now, over all workers."""
        return self.runner.user_count if self.runner else 0

    @abstractmethod
    def tick(self) -> Tick | None:
        """What should run now; None ends the test."""
