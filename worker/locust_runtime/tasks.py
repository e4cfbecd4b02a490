"""Tasks and sets of tasks: what a user does, one task after the other.

The idea: a TaskSet keeps a queue; when it is empty it asks `get_next_task`, runs the task, waits, and starts
over. Control flow leaves it by exceptions (see `exceptions.py`). A user's greenlet may be killed at any
switch: every way out runs `on_stop` once.

This module must never send a request, nor start or kill a greenlet.
"""

from __future__ import annotations

import enum
import logging
import random
from collections import deque
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn, TypeVar, final, overload

import gevent
from gevent import GreenletExit

from locust_runtime.exception_log import log_exception
from locust_runtime.exceptions import (
    InterruptTaskSet,
    LocustError,
    MissingWaitTimeError,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopTest,
    StopUser,
)

if TYPE_CHECKING:
    from locust_runtime.users import User

logger = logging.getLogger(__name__)

Task = Callable[..., Any]
"""A function of a User or TaskSet, or a TaskSet class."""

TaskT = TypeVar("TaskT", bound=Task)


class UserState(enum.StrEnum):
    """Where a user is between its start and its end; decides how a graceful stop reaches it."""

    RUNNING = "running"
    """In a task: a graceful stop lets it end."""
    WAITING = "waiting"
    """Between tasks: a stop may end it at once."""
    STOPPING = "stopping"
    """Asked to stop; leaves when its task ends."""


LOCUST_STATE_RUNNING: Final = UserState.RUNNING
LOCUST_STATE_WAITING: Final = UserState.WAITING
LOCUST_STATE_STOPPING: Final = UserState.STOPPING


@overload
def task(weight: TaskT) -> TaskT: ...


@overload
def task(weight: int) -> Callable[[TaskT], TaskT]: ...


def task(weight: TaskT | int = 1) -> TaskT | Callable[[TaskT], TaskT]:
    """Declares a method or nested TaskSet class as a task: `@task`, or `@task(3)` for 3 times as often.

    Raises LocustError when used on a method named `run`.
    """
    if isinstance(weight, int):
        repeats = weight
        return lambda decorated: _declare(decorated, repeats)
    return _declare(weight, 1)


def _declare(decorated: TaskT, weight: int) -> TaskT:
    name = getattr(decorated, "__name__", "")
    refuse_reserved_name(name, decorator="@task")
    decorated.locust_task_weight = weight  # type: ignore[attr-defined]
    return decorated


def refuse_reserved_name(name: str, *, decorator: str) -> None:
    """Warns for `on_start`/`on_stop`, which would run as tasks too; raises LocustError for `run`."""
    if name in ("on_start", "on_stop"):
        logger.warning("%s has %s: it will run as a task as well as on start or stop", name, decorator)
    elif name == "run":
        raise LocustError(f"run() executes the tasks and cannot have {decorator}: rename the method")


def expand_weights(tasks: Iterable[Any] | dict[Task, int]) -> list[Task]:
    """Repeats each task as often as its weight says.

    Takes a list of tasks, a list with (task, weight) pairs in it, or a dict of weights.
    """
    items: Iterable[Any] = tasks.items() if isinstance(tasks, dict) else tasks
    expanded: list[Task] = []
    for item in items:
        if isinstance(item, tuple):
            declared, weight = item
            expanded.extend([declared] * weight)
        else:
            expanded.append(item)
    return expanded


def declared_weight(attribute: object) -> int:
    """How often `@task` wants this class attribute in the list; 0 when it is no task."""
    # dir() and not getattr(): an attribute may be a proxy that answers to every name.
    return attribute.locust_task_weight if "locust_task_weight" in dir(attribute) else 0  # type: ignore[attr-defined]


def inherited_tasks(bases: Iterable[type]) -> list[Task]:
    """The expanded tasks of the base classes, in order."""
    return [inherited for base in bases for inherited in getattr(base, "tasks", None) or ()]


def collect_tasks(bases: Iterable[type], class_dict: dict[str, Any]) -> list[Task]:
    """The expanded tasks of a new User or TaskSet class: inherited, then `tasks`, then decorated ones."""
    collected = inherited_tasks(bases)
    collected += expand_weights(class_dict.get("tasks") or ())
    for attribute in class_dict.values():
        collected += [attribute] * declared_weight(attribute)
    return collected


def is_task_set(candidate: object) -> bool:
    """Whether a task is a TaskSet class and not a function."""
    return isinstance(candidate, type) and issubclass(candidate, TaskSet)


class TaskSetMeta(type):
    """Collects a class's tasks at its creation."""

    def __new__(mcs, classname: str, bases: tuple[type, ...], class_dict: dict[str, Any]) -> TaskSetMeta:
        class_dict["tasks"] = collect_tasks(bases, class_dict)
        return super().__new__(mcs, classname, bases, class_dict)


class TaskSet(metaclass=TaskSetMeta):
    """A set of tasks that a user runs until something interrupts it; may be a task of another one.

    It picks a task at random, runs it, waits for `wait_time` seconds (its own, else its user's), and
    repeats. `interrupt()` hands control back to the parent.
    """

    tasks: ClassVar[Any] = []
    """Functions and TaskSet classes: a list, a list of (task, weight), or a dict of weights. After the
    class is created: a list in which each task stands as often as its weight says."""

    min_wait: float | None = None
    """Milliseconds; used with `max_wait` when the user has no `wait_time`. Prefer `wait_time`."""
    max_wait: float | None = None
    """Milliseconds; see `min_wait`."""
    wait_function: Any = None
    """Not used any more; locustfiles may still set it."""

    def __init__(self, parent: Any) -> None:
        self._task_queue: deque[Task] = deque()
        self._user: User = parent.user if isinstance(parent, TaskSet) else parent
        self._parent = parent
        self.min_wait = self.min_wait or self._user.min_wait
        self.max_wait = self.max_wait or self._user.max_wait
        self.wait_function = self.wait_function or self._user.wait_function
        self._cp_last_run = perf_counter()
        self._cp_last_wait_time = 0.0

    # Any and not User: a locustfile's TaskSets use attributes of their own user class.
    @property
    def user(self) -> Any:
        """The user that runs this TaskSet."""
        return self._user

    @property
    def parent(self) -> Any:
        """The TaskSet that this one is a task of, or the user for the outermost one."""
        return self._parent

    @property
    def client(self) -> Any:
        """The user's client."""
        return self.user.client

    def on_start(self) -> None:
        """Runs when the user enters this TaskSet. Override it."""

    def on_stop(self) -> None:
        """Runs when the user leaves this TaskSet: interrupted, stopped or killed. Override it."""

    @final
    def run(self) -> NoReturn:
        """Runs tasks until an exception leaves: to the parent (Reschedule…), or to end the user."""
        try:
            self.on_start()
        except InterruptTaskSet as interrupt:
            raise _to_parent(interrupt) from interrupt
        while True:
            try:
                self._run_one_task()
            except InterruptTaskSet as interrupt:
                self._leave()
                raise _to_parent(interrupt) from interrupt
            except (StopUser, StopTest, GreenletExit):
                self._leave(stopping=True)
                raise
            except Exception as error:
                environment = self._user.environment
                environment.events.user_error.fire(
                    user_instance=self, exception=error, tb=error.__traceback__
                )
                if not environment.catch_exceptions:
                    raise
                log_exception(logger, error, "%s", error)
                self._wait_after_error()

    def _run_one_task(self) -> None:
        if not self._task_queue:
            self.schedule_task(self.get_next_task())
        try:
            if self._user._state is UserState.STOPPING:
                raise StopUser
            self.execute_next_task()
        except RescheduleTaskImmediately:
            return
        except RescheduleTask:
            pass
        self.wait()

    def _wait_after_error(self) -> None:
        try:
            self.wait()
        except (StopUser, StopTest, GreenletExit):
            self._leave(stopping=True)
            raise

    def _leave(self, *, stopping: bool = False) -> None:
        self._user._leaving = self._user._leaving or stopping
        try:
            self.on_stop()
        except (StopUser, StopTest, GreenletExit):
            if not stopping:
                raise
        except Exception as error:
            log_exception(logger, error, "on_stop of %s raised", type(self).__name__)

    def execute_next_task(self) -> None:
        """Runs the first task of the queue."""
        self.execute_task(self._task_queue.popleft())

    def execute_task(self, task: Task) -> None:
        """Runs one task: a method of this instance, a nested TaskSet class, or a function of the instance."""
        if getattr(task, "__self__", None) is self:
            task()
        elif is_task_set(task):
            task(self).run()
        else:
            task(self)

    def schedule_task(self, task_callable: Task, first: bool = False) -> None:
        """Queues a task to run next: behind what is queued already, or with `first` before it."""
        if first:
            self._task_queue.appendleft(task_callable)
        else:
            self._task_queue.append(task_callable)

    def get_next_task(self) -> Task:
        """Picks the next task. Raises LocustError when the class has none."""
        if not self.tasks:
            raise _no_tasks(self)
        return random.choice(self.tasks)  # type: ignore[no-any-return]

    def wait_time(self) -> float:
        """Seconds to wait after a task; the user's, unless overridden. MissingWaitTimeError when unknown."""
        if self.user.wait_time:
            return self.user.wait_time()  # type: ignore[no-any-return]
        if self.min_wait is not None and self.max_wait is not None:
            return random.randint(int(self.min_wait), int(self.max_wait)) / 1000
        raise MissingWaitTimeError(
            f"set wait_time on {type(self._user).__name__} or {type(self).__name__}, e.g. constant(1)"
        )

    def wait(self) -> None:
        """Sleeps for `wait_time()`. A stop ends the user here at once, stop timeout or not."""
        user = self._user
        if user._state is UserState.STOPPING:
            raise StopUser
        user._state = UserState.WAITING
        self._sleep(self.wait_time())
        # The stop may have come from another greenlet of this user during the sleep.
        if user._state is UserState.STOPPING:
            raise StopUser
        user._state = UserState.RUNNING

    def _sleep(self, seconds: float) -> None:
        gevent.sleep(seconds)

    def interrupt(self, reschedule: bool = True) -> NoReturn:
        """Leaves this TaskSet; its parent picks the next task at once, or waits first."""
        raise InterruptTaskSet(reschedule)


class DefaultTaskSet(TaskSet):
    """The outermost TaskSet of every user: runs the user's own tasks, with the user as their argument."""

    def get_next_task(self) -> Task:
        tasks = self._user.tasks
        if not tasks:
            raise _no_tasks(self._user)
        return random.choice(tasks)  # type: ignore[no-any-return]

    def execute_task(self, task: Task) -> None:
        if is_task_set(task):
            task(self._user).run()
        else:
            task(self._user)


def _to_parent(interrupt: InterruptTaskSet) -> RescheduleTask | RescheduleTaskImmediately:
    return RescheduleTaskImmediately() if interrupt.reschedule else RescheduleTask()


def _no_tasks(holder: object) -> LocustError:
    name = type(holder).__name__
    if getattr(holder, "task", None):
        return LocustError(f"{name} has no tasks, but a 'task' attribute: did you mean 'tasks'?")
    return LocustError(
        f"{name} has no tasks: decorate methods with @task, set 'tasks', or mark the class abstract = True"
    )
