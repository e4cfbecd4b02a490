"""The simulated user: its class, its life, and how it is stopped.

A user is one greenlet that runs `User.run`. This module knows no protocol: clients live in `http/`, and
who starts and stops users lives in `run/spawner.py`.

How a stop meets a request (contract with every client)
-------------------------------------------------------
A stop takes effect between requests, so that what was sent is also what is recorded. A forced stop of a
user whose request is on the wire waits up to `REQUEST_GRACE_S` for it; then `RequestInterrupted` (a
GreenletExit) is thrown where the client blocks. A client that belongs to a user does this:

    user._requests_in_flight += 1            # before connecting; no switch until the try
    try:
        outcome = ...                        # connect, send, receive; the target's errors are an outcome
        ...                                  # with catch_response: the user's block, until its verdict
    except GreenletExit:                     # RequestInterrupted is one
        user._requests_in_flight -= 1
        if sent:                             # the first byte was handed to the socket
            user.environment.record_interrupted(request_type, name)
        raise
    except BaseException:                    # not recorded: a bug, or an exception of the user's block
        user._requests_in_flight -= 1
        raise
    user._requests_in_flight -= 1
    user.environment.events.request.fire(...)     # no greenlet switch between these two lines: the
                                                  # recorder is called first, before any listener
    if user._exit_after_request:
        user._exit_between_requests()        # raises GreenletExit in the user's own greenlet

- A request is in flight from before it connects until its outcome is recorded; so a `catch_response`
  block is part of it.
- `record_interrupted` counts a request that the target may have seen and that has no outcome. It enters
  neither percentiles nor failures. Never call both it and `fire` for one request.
- The counter is a plain int (a user may have several greenlets that request); it must reach 0 again on
  every way out.
- A client without a user (`user is None`) skips all of it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, Final, final

from gevent import Greenlet, GreenletExit, get_hub, getcurrent
from gevent.pool import Group

from locust_runtime.exceptions import RequestInterrupted, StopTest, StopUser
from locust_runtime.tasks import DefaultTaskSet, TaskSet, UserState, collect_tasks
from locust_runtime.wait_time import constant

if TYPE_CHECKING:
    from locust_runtime.environment import Environment

REQUEST_GRACE_S: Final = 1.0
"""How long a forced stop waits for a request on the wire, in seconds: long enough for nearly all answers,
short enough for a stop to be felt as one."""


class Leave(enum.Enum):
    """When a user that is told to leave does so."""

    AFTER_TASK = enum.auto()
    """At once if it waits, else when its task ends."""
    AFTER_REQUEST = enum.auto()
    """At once unless a request is on the wire, else when that is recorded."""
    NOW = enum.auto()
    """At once; a request on the wire is interrupted."""


class UserMeta(type):
    """Collects a class's tasks at its creation; it is concrete unless it says `abstract = True` itself."""

    def __new__(mcs, classname: str, bases: tuple[type, ...], class_dict: dict[str, Any]) -> UserMeta:
        class_dict["tasks"] = collect_tasks(bases, class_dict)
        class_dict["abstract"] = bool(class_dict.get("abstract"))
        return super().__new__(mcs, classname, bases, class_dict)


class User(metaclass=UserMeta):
    """One simulated user: runs its tasks, one at a time, until it is stopped.

    Subclass it, declare tasks, and give it a client; `HttpUser` and `FastHttpUser` have one.
    """

    host: str | None = None
    """Base address of the target, for example `https://example.org`; a host given at start overrides it."""

    wait_time: Any = constant(0)
    """Seconds between tasks: a function of the instance, such as `between(1, 5)`, or a method."""

    min_wait: float | None = None
    """Milliseconds; used with `max_wait` when `wait_time` is None. Prefer `wait_time`."""
    max_wait: float | None = None
    """Milliseconds; see `min_wait`."""
    wait_function: Any = None
    """Not used any more; locustfiles may still set it."""

    tasks: ClassVar[Any] = []
    """Functions and TaskSet classes: a list, a list of (task, weight), or a dict of weights. After the
    class is created: a list in which each task stands as often as its weight says."""

    weight: float = 1
    """Share of this class among the users, relative to the other classes."""

    fixed_count: int = 0
    """When above 0: so many users of this class, placed before any others; the weight is ignored."""

    abstract: ClassVar[bool] = True
    """An abstract class is made to be subclassed; no users of it start."""

    # Class attributes, so that a subclass that forgets super().__init__() still stops rightly.
    _state: UserState | None = None
    _requests_in_flight: int = 0
    _exit_after_request: bool = False
    _leaving: bool = False
    _greenlet: Greenlet[..., Any] | None = None
    _group: Group | None = None

    def __init__(self, environment: Environment) -> None:
        super().__init__()
        self.environment = environment
        self._taskset_instance: TaskSet | None = None
        self._cp_last_run = perf_counter()
        self._cp_last_wait_time = 0.0

    def on_start(self) -> None:
        """Runs once, before the first task. An exception here ends the user. Override it."""

    def on_stop(self) -> None:
        """Runs once when the user is stopped or stops itself, after its TaskSets' `on_stop`. Override it."""

    @final
    def run(self) -> None:
        """The user's whole life; returns when it was stopped or raised StopUser.

        Raises StopTest when a task did (after `on_stop`), and whatever `on_start` raised. Neither is logged
        here: who runs the user decides that.
        """
        self._state = UserState.RUNNING
        self._taskset_instance = DefaultTaskSet(self)
        try:
            try:
                self.on_start()
            except (StopUser, StopTest):
                raise
            except Exception as error:
                self.environment.events.user_error.fire(
                    user_instance=self, exception=error, tb=error.__traceback__
                )
                raise
            self._taskset_instance.run()
        except (GreenletExit, StopUser):
            self._leaving = True
            self.on_stop()
        except StopTest:
            self._leaving = True
            self.on_stop()
            raise

    def wait(self) -> None:
        """Sleeps for `wait_time()`. A stop ends the user here at once, stop timeout or not."""
        assert self._taskset_instance is not None, "wait() belongs into a running user"
        self._taskset_instance.wait()

    def context(self) -> dict[str, Any]:
        """What every request event of this user carries as its context. Override it."""
        return {}

    def start(self, group: Group) -> Greenlet[..., Any]:
        """Starts the user in a greenlet of `group` and returns it; `greenlet.args[0]` is the user."""
        return self._spawn(group, _run_user)

    def stop(self, force: bool = False) -> bool:
        """Stops the user: at once when it waits, else when its task ends; with `force` between requests.

        A forced stop returns when the user has ended, `on_stop` included; called by the user itself, it
        does not return. Otherwise returns whether the user was waiting.
        """
        # Without a greenlet of its own the user runs in its caller's, as in a debugger.
        if self._greenlet is None or getcurrent() is self._greenlet:
            if force:
                self._leaving = True
                raise GreenletExit
            self._state = UserState.STOPPING
            return False
        if not force:
            was_waiting = self._state not in (UserState.RUNNING, UserState.STOPPING)
            self._exit(Leave.AFTER_TASK)
            return was_waiting
        self._exit(Leave.AFTER_REQUEST)
        self._greenlet.join(timeout=REQUEST_GRACE_S)
        if self._exit_after_request:
            self._exit(Leave.NOW)
        self._greenlet.join()
        return True

    def _spawn(self, group: Group, main: Callable[[User], None]) -> Greenlet[..., Any]:
        self._group = group
        self._greenlet = group.spawn(main, self)
        return self._greenlet

    def _exit(self, when: Leave) -> None:
        """Makes the user leave; never blocks.

        The hub decides, when no greenlet runs: the user may go on between this call and its effect, and an
        exit that was meant for its wait would then hit its next request.
        """
        get_hub().loop.run_callback(self._exit_in_hub, when)

    def _exit_in_hub(self, when: Leave) -> None:
        greenlet = self._greenlet
        # Once: a second exception would cut on_stop short.
        if self._leaving or greenlet is None or greenlet.ready():
            return
        is_in_task = self._state in (UserState.RUNNING, UserState.STOPPING)
        if when is Leave.AFTER_TASK and is_in_task:
            self._state = UserState.STOPPING
        elif when is not Leave.NOW and self._requests_in_flight:
            self._state = UserState.STOPPING
            self._exit_after_request = True
        else:
            self._exit_after_request = False
            self._leaving = True
            greenlet.throw(RequestInterrupted)

    def _exit_between_requests(self) -> None:
        """Called by clients (see the module's contract) once a request is recorded and a stop is due."""
        if self._requests_in_flight:
            return
        self._exit_after_request = False
        if getcurrent() is self._greenlet:
            self._leaving = True
            raise GreenletExit
        self._exit(Leave.AFTER_REQUEST)

    @property
    def group(self) -> Group | None:
        """The group of greenlets that the user runs in."""
        return self._group

    @property
    def greenlet(self) -> Greenlet[..., Any] | None:
        """The user's greenlet; None before `start`."""
        return self._greenlet

    @classmethod
    def json(cls) -> dict[str, Any]:
        """The fields of this class that may be edited before a start. Override it to offer more."""
        return {
            "host": cls.host,
            "weight": cls.weight,
            "fixed_count": cls.fixed_count,
            "tasks": [task.__name__ for task in cls.tasks],
        }

    @classmethod
    def fullname(cls) -> str:
        """Module and qualified name, without the marks of enclosing functions."""
        return ".".join(
            part for part in f"{cls.__module__}.{cls.__qualname__}".split(".") if part != "<locals>"
        )


def _run_user(user: User) -> None:
    user.run()
