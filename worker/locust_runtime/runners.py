"""What user code sees as `environment.runner`.

These objects hold no process, no socket and no schedule. What they are told to do they hand to a
`RunnerPort`; what they show is set by whoever owns the port. Toward user code a worker is a runner: in a
runner process this is a WorkerRunner, in the script host a MasterRunner.
"""

from __future__ import annotations

import enum
import logging
import traceback
from collections.abc import Callable, Iterator, MutableMapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol

import gevent
from gevent.pool import Group

from locust_runtime.exceptions import LocustError
from locust_runtime.log import note_unhandled_exception
from locust_runtime.messages import Message

if TYPE_CHECKING:
    from locust_runtime.environment import Environment
    from locust_runtime.request_stats import RequestStats
    from locust_runtime.stats_errors import StatsError
    from locust_runtime.users import User

logger = logging.getLogger(__name__)


class RunnerState(enum.StrEnum):
    """State of a runner. Equal to its text, which locustfiles compare with."""

    READY = "ready"
    SPAWNING = "spawning"
    RUNNING = "running"
    CLEANUP = "cleanup"
    STOPPING = "stopping"
    STOPPED = "stopped"
    MISSING = "missing"


STATE_INIT: Final = RunnerState.READY
STATE_SPAWNING: Final = RunnerState.SPAWNING
STATE_RUNNING: Final = RunnerState.RUNNING
STATE_CLEANUP: Final = RunnerState.CLEANUP
STATE_STOPPING: Final = RunnerState.STOPPING
STATE_STOPPED: Final = RunnerState.STOPPED
STATE_MISSING: Final = RunnerState.MISSING

CPU_WARNING_THRESHOLD = 90
"""Percent of a core from which `cpu_warning` fires."""
CPU_MONITOR_INTERVAL = 10.0
"""Seconds between two `usage_monitor` events."""

KEPT_EXCEPTIONS: Final = 1_000
"""Kinds of exceptions a runner remembers: tracebacks of some kB each; more kinds are only logged."""

MessageListener = Callable[..., Any]


class RunnerPort(Protocol):
    """What a runner can have done. Calls come from user code in any greenlet and should not block long."""

    def start(
        self, *, user_count: int, spawn_rate: float, user_classes: list[type[User]] | None, wait: bool
    ) -> None:
        """Starts a test or changes a running one; with `wait`, returns when all users run."""

    def stop(self) -> None:
        """Stops the test."""

    def quit(self) -> None:
        """Stops the test, and the process after it."""

    def send_message(self, *, message_type: str, data: Any, client_id: str | None) -> None:
        """Sends a custom message: a master to one or (None) all workers, a worker to the master."""

    def user_classes_count(self) -> dict[str, int]:
        """Users that run now, by class name."""


class Runner:
    """Base of all runners."""

    def __init__(self, environment: Environment, port: RunnerPort) -> None:
        self.environment = environment
        self.state: RunnerState = STATE_INIT
        self.target_user_count = 0
        """Users asked for, in total."""
        self.target_user_classes_count: dict[str, int] = {}
        """Users asked for, by class name."""
        self.final_user_classes_count: dict[str, int] = {}
        """Users that ran when the test was stopped, by class name."""
        self.spawn_rate = 0.0
        """Users per second, as asked for last."""
        self.worker_index = -1
        """Number of this runner among all of the test, from 0; -1 on a master."""
        self.worker_count = 0
        """Runners in the test."""
        self.client_id = ""
        """Name of this runner, unique in the test."""
        self.current_cpu_usage = 0.0
        """Percent of a core."""
        self.current_memory_usage = 0
        """Bytes."""
        self.exceptions: dict[int, dict[str, Any]] = {}
        """Exceptions of tasks by kind: count, msg, traceback, nodes."""
        self.dropped_exceptions = 0
        """Exceptions that found `exceptions` full."""
        self.custom_messages: dict[str, tuple[MessageListener, bool]] = {}
        self.user_greenlets = Group()
        """The greenlets of the users; `greenlet.args[0]` is the user."""
        self.greenlet = Group()
        """Background greenlets of the runner; `join()` waits for `quit()`."""
        self._port = port

    @property
    def stats(self) -> RequestStats:
        return self.environment.stats

    @property
    def errors(self) -> dict[str, StatsError]:
        return self.environment.stats.errors

    @property
    def user_classes(self) -> list[type[User]]:
        return self.environment.user_classes

    @property
    def user_classes_by_name(self) -> dict[str, type[User]]:
        return self.environment.user_classes_by_name

    @property
    def user_classes_count(self) -> dict[str, int]:
        """Users that run now, by class name."""
        return dict.fromkeys(self.user_classes_by_name, 0) | self._port.user_classes_count()

    @property
    def user_count(self) -> int:
        """Users that run now."""
        return sum(self._port.user_classes_count().values())

    def start(
        self,
        user_count: int,
        spawn_rate: float,
        wait: bool = False,
        user_classes: list[type[User]] | None = None,
    ) -> None:
        """Starts a test, or changes a running one, to `user_count` users at `spawn_rate` users per second."""
        self._port.start(user_count=user_count, spawn_rate=spawn_rate, user_classes=user_classes, wait=wait)

    def stop(self) -> None:
        """Stops the test. Does nothing when it is stopped."""
        if self.state is not STATE_STOPPED:
            self._port.stop()

    def quit(self) -> None:
        """Stops the test and ends the process."""
        self._port.quit()

    def send_message(self, msg_type: str, data: Any = None, client_id: str | None = None) -> None:
        """Sends a custom message: a master to all workers or the one named, a worker to the master."""
        self._port.send_message(message_type=msg_type, data=data, client_id=client_id)

    def register_message(self, msg_type: str, listener: MessageListener, concurrent: bool = False) -> None:
        """Calls `listener(environment=, msg=)` for messages of a type, with `concurrent` in a greenlet each.

        Raises LocustError when the type has a listener already.
        """
        if msg_type in self.custom_messages:
            raise LocustError(f"messages of type {msg_type!r} have a listener already")
        self.custom_messages[msg_type] = (listener, concurrent)

    def deliver_message(self, message: Message) -> None:
        """Hands a message that arrived to its listener. An exception in the listener is logged."""
        if message.type not in self.custom_messages:
            logger.warning("no listener for messages of type %r", message.type)
            return
        listener, concurrent = self.custom_messages[message.type]
        if concurrent:
            self.greenlet.add(gevent.spawn(self._call_listener, listener, message))
        else:
            self._call_listener(listener, message)

    def _call_listener(self, listener: MessageListener, message: Message) -> None:
        try:
            listener(environment=self.environment, msg=message)
        except Exception:
            logger.exception("the listener for messages of type %r raised", message.type)
            note_unhandled_exception()

    def log_exception(self, node_id: str, msg: str, formatted_tb: str) -> None:
        """Counts an exception of a task by its traceback."""
        key = hash(formatted_tb)
        if key not in self.exceptions:
            if len(self.exceptions) >= KEPT_EXCEPTIONS:
                self.dropped_exceptions += 1
                return
            self.exceptions[key] = {"count": 0, "msg": msg, "traceback": formatted_tb, "nodes": set()}
        self.exceptions[key]["count"] += 1
        self.exceptions[key]["nodes"].add(node_id)

    def log_user_error(self, exception: BaseException, tb: TracebackType | None) -> None:
        """Counts an exception of a task of this runner's own users."""
        self.log_exception(self.client_id, str(exception), "".join(traceback.format_tb(tb)))


class DistributedRunner(Runner):
    """Base of the runners of a test with several processes."""


class WorkerNode:
    """A runner, as the master's listeners see it."""

    def __init__(self, id: str, state: RunnerState = STATE_INIT) -> None:
        self.id = id
        self.state = state
        self.cpu_usage = 0.0
        """Percent of a core."""
        self.memory_usage = 0
        """Bytes."""
        self.user_classes_count: dict[str, int] = {}

    @property
    def user_count(self) -> int:
        return sum(self.user_classes_count.values())


class WorkerNodes(MutableMapping[str, WorkerNode]):
    """The runners of a test by `client_id`."""

    def __init__(self) -> None:
        self._nodes: dict[str, WorkerNode] = {}

    def get_by_state(self, state: RunnerState) -> list[WorkerNode]:
        return [node for node in self._nodes.values() if node.state == state]

    @property
    def all(self) -> list[WorkerNode]:
        return list(self._nodes.values())

    @property
    def ready(self) -> list[WorkerNode]:
        return self.get_by_state(STATE_INIT)

    @property
    def spawning(self) -> list[WorkerNode]:
        return self.get_by_state(STATE_SPAWNING)

    @property
    def running(self) -> list[WorkerNode]:
        return self.get_by_state(STATE_RUNNING)

    @property
    def missing(self) -> list[WorkerNode]:
        return self.get_by_state(STATE_MISSING)

    def __setitem__(self, key: str, node: WorkerNode) -> None:
        self._nodes[key] = node

    def __delitem__(self, key: str) -> None:
        del self._nodes[key]

    def __getitem__(self, key: str) -> WorkerNode:
        return self._nodes[key]

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._nodes))


class MasterRunner(DistributedRunner):
    """The runner that the script host shows: it sees the whole test and simulates no users."""

    def __init__(self, environment: Environment, port: RunnerPort) -> None:
        super().__init__(environment, port)
        self.clients = WorkerNodes()
        self.spawning_completed = False


class WorkerRunner(DistributedRunner):
    """The runner that a runner process shows: it simulates a part of the users."""


def __getattr__(name: str) -> Any:
    # LocalRunner stands in a module of its own, which imports this one.
    if name == "LocalRunner":
        from locust_runtime.local_runner import LocalRunner

        return LocalRunner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
