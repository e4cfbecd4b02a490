"""Event hooks: how a locustfile hears of what happens, and adds to it.

Listeners run in the greenlet that fires, in the order in which they were added. An exception in a listener
is logged and remembered, and never reaches whoever fired, except for those that steer users.

`request` is the hot path: its recorder is called first and directly, so that statistics are right whatever
a listener does.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from gevent import GreenletExit

from locust_runtime import log
from locust_runtime.exception_log import log_exception
from locust_runtime.exceptions import (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopTest,
    StopUser,
)

logger = logging.getLogger(__name__)

Listener = Callable[..., Any]
ListenerT = TypeVar("ListenerT", bound=Listener)

Record = Callable[[str, str, float | None, int, BaseException | str | None], None]
"""Takes request type, name, response time in ms (None: not measured), response length in bytes, exception."""

_STEERING = (StopUser, StopTest, RescheduleTask, RescheduleTaskImmediately, InterruptTaskSet)


class EventHook:
    """One event: listeners are added to it, and it is fired with keyword arguments."""

    def __init__(self) -> None:
        self._handlers: list[Listener] = []

    def add_listener(self, handler: ListenerT) -> ListenerT:
        """Calls `handler` whenever the event fires. Returns it, so this is a decorator as well."""
        self._handlers.append(handler)
        return handler

    def remove_listener(self, handler: Listener) -> None:
        """Undoes `add_listener`. Raises ValueError for a handler that is not there."""
        self._handlers.remove(handler)

    def fire(self, *, reverse: bool = False, **kwargs: Any) -> None:
        """Calls all listeners, with `reverse` the last one first.

        An exception that steers a user (StopUser, RescheduleTask, …) leaves at once; any other is logged.
        """
        # A copy: listeners may add and remove listeners.
        for handler in self._handlers[::-1] if reverse else self._handlers[:]:
            try:
                handler(**kwargs)
            except _STEERING:
                raise
            except Exception as error:
                log_exception(logger, error, "a listener raised: %s", _name_of(handler))
                log.note_unhandled_exception()

    @contextmanager
    def measure(
        self,
        request_type: str,
        name: str,
        response_length: int = 0,
        context: dict[str, Any] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Measures the block and fires the event with it; an exception in the block makes it a failure.

        Gives a dict of the event's arguments, which the block may change. For the `request` event. The
        exception does not leave the block. When the user is killed in the block, the request counts as
        interrupted and the event is not fired.
        """
        request_meta: dict[str, Any] = {
            "request_type": request_type,
            "name": name,
            "response_length": response_length,
            "context": context or {},
            "exception": None,
            "start_time": time.time(),
        }
        started = time.perf_counter()
        try:
            yield request_meta
        except GreenletExit:
            self._note_interrupted(request_type, name)
            raise
        except Exception as error:
            request_meta["exception"] = error
        request_meta["response_time"] = (time.perf_counter() - started) * 1000
        self.fire(**request_meta)

    def _note_interrupted(self, request_type: str, name: str) -> None:
        """A measured block was cut off by a stop."""


class RequestHook(EventHook):
    """The `request` event, which has a recorder besides its listeners."""

    def __init__(self) -> None:
        super().__init__()
        self.record: Record | None = None
        """Counts the request; set by the Environment. It must neither block nor raise."""
        self.record_interrupted: Callable[[str, str], None] | None = None
        """Counts a request that a stop cut off: type and name. Set by the Environment."""

    def fire(self, *, reverse: bool = False, **kwargs: Any) -> None:
        """Records the request, then calls the listeners; see `EventHook.fire`."""
        record = self.record
        if record is not None:
            try:
                record(
                    kwargs["request_type"],
                    kwargs["name"],
                    kwargs["response_time"],
                    kwargs["response_length"],
                    kwargs.get("exception"),
                )
            except Exception as error:
                log_exception(logger, error, "a request event could not be recorded: %s", sorted(kwargs))
                log.note_unhandled_exception()
        if self._handlers:
            super().fire(reverse=reverse, **kwargs)

    def _note_interrupted(self, request_type: str, name: str) -> None:
        if self.record_interrupted is not None:
            self.record_interrupted(request_type, name)


class Events:
    """All events. A subclass that annotates attributes as `EventHook` gets hooks of its own."""

    request: RequestHook
    """A request ended: request_type, name, response_time (ms or None), response_length (bytes), and
    exception, context, response, start_time (epoch s), url."""
    user_error: EventHook
    """A task or `on_start` raised: user_instance, exception, tb."""
    report_to_master: EventHook
    """A worker is about to report: client_id, data (a dict that listeners may add to)."""
    worker_report: EventHook
    """A report arrived, on the master: client_id, data."""
    worker_connect: EventHook
    """A worker joined, on the master: client_id."""
    spawning_complete: EventHook
    """All users that were asked for run: user_count (over all workers)."""
    quitting: EventHook
    """The process is about to end: environment. Listeners run in reverse order."""
    quit: EventHook
    """The process ends now: exit_code."""
    init: EventHook
    """Environment and runner exist: environment, runner, web_ui (None)."""
    init_command_line_parser: EventHook
    """Options may be added: parser."""
    test_start: EventHook
    """A test starts, on every node: environment."""
    test_stopping: EventHook
    """A test is about to stop, users still run: environment."""
    test_stop: EventHook
    """A test has stopped: environment."""
    reset_stats: EventHook
    """Someone reset the statistics. No arguments."""
    cpu_warning: EventHook
    """This process is short of CPU: environment, cpu_usage (%)."""
    heartbeat_sent: EventHook
    """The master asked a worker for a sign of life: client_id, timestamp (epoch s)."""
    heartbeat_received: EventHook
    """A worker heard from its master: client_id, timestamp (epoch s)."""
    usage_monitor: EventHook
    """Regularly: environment, cpu_usage (%), memory_usage (bytes)."""

    def __init__(self) -> None:
        for owner in type(self).__mro__:
            for name, annotation in inspect.get_annotations(owner).items():
                if annotation in (RequestHook, "RequestHook"):
                    setattr(self, name, RequestHook())
                elif annotation in (EventHook, "EventHook"):
                    setattr(self, name, EventHook())


def _name_of(handler: Listener) -> str:
    return getattr(handler, "__qualname__", None) or repr(handler)
