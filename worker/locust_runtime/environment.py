"""The Environment: everything that belongs to one test, as a locustfile reaches it.

It holds and checks; it starts nothing. Which runner it gets decides what happens: see `runners.py`.
"""

from __future__ import annotations

import logging
from argparse import Namespace
from collections import Counter
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from locust_runtime.events import Events
from locust_runtime.exceptions import LocustError, RunnerAlreadyExistsError
from locust_runtime.request_stats import RequestStats
from locust_runtime.shape import LoadTestShape
from locust_runtime.tags import filter_tasks_by_tags

if TYPE_CHECKING:
    from locust_runtime.local_runner import LocalRunner
    from locust_runtime.runners import Runner
    from locust_runtime.users import User

logger = logging.getLogger(__name__)


class Recorder(Protocol):
    """Counts requests. On the hot path: it must neither block nor switch greenlets nor raise."""

    def record(
        self,
        request_type: str,
        name: str,
        response_time_ms: float | None,
        response_length: int,
        exception: BaseException | str | None,
    ) -> None:
        """Counts a request that has an outcome; `response_time_ms` is None when it was not measured."""

    def record_interrupted(self, request_type: str, name: str) -> None:
        """Counts a request that a stop cut off: it is in no percentile and no failure."""


class StatsRecorder:
    """Records into `environment.stats`: what happens when no other recorder is set."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def record(
        self,
        request_type: str,
        name: str,
        response_time_ms: float | None,
        response_length: int,
        exception: BaseException | str | None,
    ) -> None:
        stats = self._environment.stats
        stats.log_request(request_type, name, response_time_ms, response_length)
        if exception:
            stats.log_error(request_type, name, exception)

    def record_interrupted(self, request_type: str, name: str) -> None:
        self._environment.stats.log_interrupted(request_type, name)


class Environment:
    """One test: its user classes, events, statistics, options and runner."""

    def __init__(
        self,
        *,
        user_classes: list[type[User]] | None = None,
        shape_class: LoadTestShape | None = None,
        tags: list[str] | None = None,
        locustfile: str | None = None,
        exclude_tags: list[str] | None = None,
        events: Events | None = None,
        host: str | None = None,
        reset_stats: bool = False,
        stop_timeout: float | None = None,
        catch_exceptions: bool = True,
        parsed_options: Namespace | None = None,
        parsed_locustfiles: list[str] | None = None,
        available_user_classes: dict[str, type[User]] | None = None,
        available_shape_classes: dict[str, LoadTestShape] | None = None,
        available_user_tasks: dict[str, list[Any]] | None = None,
        dispatcher_class: object = None,
        profile: str | None = None,
    ) -> None:
        self.runner: Runner | None = None
        self.web_ui: None = None
        """Always None: the screens are a program of their own. Scripts that guard it go on working."""
        self.process_exit_code: int | None = None
        """Set it to choose the exit code of the test."""
        self.events = events or Events()
        self.locustfile = locustfile
        """File name of the locustfile, without its folder."""
        self.user_classes: list[type[User]] = user_classes or []
        self.shape_class = shape_class
        """The shape that controls the test: an instance."""
        self.tags = tags
        """Only tasks with one of these tags run; None: those of `parsed_options`."""
        self.exclude_tags = exclude_tags
        """No task with one of these tags runs; None: those of `parsed_options`."""
        self.stats = RequestStats()
        self.host = host
        """Base address of the target; overrides that of all user classes."""
        self.reset_stats = reset_stats
        """Whether the statistics start anew when all users run."""
        self.stop_timeout = _stop_timeout_s(stop_timeout, parsed_options)
        """Seconds that tasks may take to end when users are stopped."""
        self.catch_exceptions = catch_exceptions
        """Whether a user goes on after an exception in a task; if not, it ends with it."""
        self.parsed_options = parsed_options
        self.parsed_locustfiles = parsed_locustfiles
        self.available_user_classes = available_user_classes
        """All user classes by name, also those that were not chosen."""
        self.available_shape_classes = available_shape_classes
        self.available_user_tasks = available_user_tasks
        """All tasks by the name of their user class, also those that were not chosen."""
        self.profile = profile
        """A label for the run."""
        self.worker_logs: dict[str, list[str]] = {}
        self._tasks_filtered = False
        self.recorder = StatsRecorder(self)
        if dispatcher_class is not None:
            logger.warning("dispatcher_class is ignored: the master places users")
        self._drop_classes_without_users()
        self._refuse_duplicate_names()
        if shape_class is not None and not isinstance(shape_class, LoadTestShape):
            raise ValueError(f"shape_class must be an instance of LoadTestShape, but got: {shape_class}")

    @property
    def recorder(self) -> Recorder:
        """Counts requests before any listener of `events.request` hears of them."""
        return self._recorder

    @recorder.setter
    def recorder(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.events.request.record = recorder.record
        self.events.request.record_interrupted = recorder.record_interrupted

    def record_interrupted(self, request_type: str, name: str) -> None:
        """Counts a request that a stop cut off; clients call it, see `users.py`."""
        self._recorder.record_interrupted(request_type, name)

    @property
    def user_classes_by_name(self) -> dict[str, type[User]]:
        """The chosen user classes by name."""
        return {user_class.__name__: user_class for user_class in self.user_classes}

    def attach_runner(self, runner: Runner) -> None:
        """Gives the test its runner, and its shape too. Raises RunnerAlreadyExistsError for a second one."""
        if self.runner is not None:
            raise RunnerAlreadyExistsError(f"this Environment has a runner already: {self.runner}")
        self.runner = runner
        if self.shape_class is not None:
            self.shape_class.runner = runner

    def create_local_runner(self) -> LocalRunner:
        """A runner that simulates all users in this process, for use as a library."""
        from locust_runtime.local_runner import LocalRunner

        runner = LocalRunner(self)
        self.attach_runner(runner)
        return runner

    def create_master_runner(self, *args: object, **kwargs: object) -> NoReturn:
        """Not offered: raises LocustError."""
        raise LocustError("a master is a program of its own here: start locust-master -f FILE")

    def create_worker_runner(self, *args: object, **kwargs: object) -> NoReturn:
        """Not offered: raises LocustError."""
        raise LocustError("a worker is a program of its own here: start locust-worker --master-host HOST")

    def create_web_ui(self, *args: object, **kwargs: object) -> NoReturn:
        """Not offered: raises LocustError."""
        raise LocustError("there is no web UI here: watch and control a master with locust-tui")

    def apply_host(self) -> None:
        """Gives `host`, if set, to all user classes."""
        if self.host:
            for user_class in self.user_classes:
                user_class.host = self.host

    def filter_tasks_by_tags(self) -> None:
        """Removes from all user classes the tasks that tags rule out. Once; later calls do nothing."""
        if self._tasks_filtered:
            return
        self._tasks_filtered = True
        tags = self._tag_set("tags", self.tags)
        exclude_tags = self._tag_set("exclude_tags", self.exclude_tags)
        if tags is None and exclude_tags is None:
            return
        for user_class in self.user_classes:
            filter_tasks_by_tags(user_class, tags, exclude_tags)

    # The name that scripts which use Locust as a library call.
    _filter_tasks_by_tags = filter_tasks_by_tags

    def assign_equal_weights(self) -> None:
        """Makes all user classes, and within each all of its tasks (nested ones too), equally likely."""
        for user_class in self.user_classes:
            user_class.weight = 1
            user_class.tasks = _flat_tasks(user_class.tasks)

    def update_user_class(self, user_settings: dict[str, Any]) -> None:
        """Sets attributes of the class that `user_class_name` names; `tasks` is a list of names to keep.

        Raises LocustError for an unknown class.
        """
        available = self.available_user_classes or self.user_classes_by_name
        name = user_settings.get("user_class_name", "")
        if name not in available:
            raise LocustError(f"no user class is called {name!r}; there are: {', '.join(sorted(available))}")
        user_class = available[name]
        for key, value in user_settings.items():
            if key == "tasks":
                tasks = (self.available_user_tasks or {}).get(name) or user_class.tasks
                user_class.tasks = [task for task in tasks if task.__name__ in value]
            elif key != "user_class_name":
                setattr(user_class, key, value)

    def _tag_set(self, option: str, given: list[str] | None) -> set[str] | None:
        if given is None:
            given = getattr(self.parsed_options, option, None) or None
        return None if given is None else set(given)

    def _drop_classes_without_users(self) -> None:
        if not self.user_classes:
            return
        kept = [cls for cls in self.user_classes if cls.weight > 0 or cls.fixed_count > 0]
        if not kept:
            raise ValueError("no user class has a weight or a fixed_count above 0")
        # In place: the caller's list is the one that is read later.
        self.user_classes[:] = kept

    def _refuse_duplicate_names(self) -> None:
        counts = Counter(cls.__name__ for cls in self.user_classes)
        twice = [cls.fullname() for cls in self.user_classes if counts[cls.__name__] > 1]
        if twice:
            raise ValueError(f"these user classes have the same name: {', '.join(twice)}")


def _stop_timeout_s(given: float | None, parsed_options: Namespace | None) -> float:
    if given is not None:
        return given
    return float(getattr(parsed_options, "stop_timeout", None) or 0.0)


def _flat_tasks(tasks: list[Any]) -> list[Any]:
    flat: list[Any] = []
    frontier = list(tasks)
    while frontier:
        task = frontier.pop()
        inner = getattr(task, "tasks", None)
        if inner is not None:
            frontier.extend(inner)
        elif task not in flat:
            flat.append(task)
    return flat
