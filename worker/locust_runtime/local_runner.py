"""A test in one process, for use as a library: `Environment(user_classes=[X]).create_local_runner()`.

`InProcessPort` does what a runner is told (start, stop, send); LocalRunner is what user code sees of it.
This is not how the commands run a test: they place users by a plan, over many runners.
"""

from __future__ import annotations

import logging
import socket
import time
import uuid
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import gevent
import psutil
from gevent import Greenlet, getcurrent

from locust_runtime import runners
from locust_runtime.exceptions import LocustError
from locust_runtime.log import greenlet_exception_logger
from locust_runtime.messages import Message
from locust_runtime.run.mix import user_sequence
from locust_runtime.run.spawner import UserPopulation
from locust_runtime.runners import (
    STATE_CLEANUP,
    STATE_INIT,
    STATE_RUNNING,
    STATE_SPAWNING,
    STATE_STOPPED,
    Runner,
)

if TYPE_CHECKING:
    from locust_runtime.environment import Environment
    from locust_runtime.users import User

logger = logging.getLogger(__name__)

SHAPE_INTERVAL_S: Final = 1.0
"""Seconds between two questions to a load shape."""

_NOT_RUNNING: Final = (STATE_INIT, STATE_STOPPED)


class LocalRunner(Runner):
    """Simulates all users in this process, in greenlets."""

    def __init__(self, environment: Environment) -> None:
        port = InProcessPort(self, environment)
        super().__init__(environment, port)
        port.population = UserPopulation(environment, on_stop_test=port.stop_test, group=self.user_greenlets)
        self._local = port
        self.worker_index = 0
        self.worker_count = 1
        self.client_id = f"{socket.gethostname()}_{uuid.uuid4().hex}"
        environment.events.user_error.add_listener(self._note_user_error)
        self.spawn_background(port.watch_usage)

    def start_shape(self) -> None:
        """Runs the load shape of the environment until it ends the test. Raises LocustError without one."""
        if self.environment.shape_class is None:
            raise LocustError("this Environment has no shape_class")
        self.environment.shape_class.reset_time()
        self._local.follow_shape(self.environment.shape_class)

    def spawn_background(self, function: Any, *args: Any) -> Greenlet[..., Any]:
        """Runs a function in a greenlet that `quit` kills; what it raises is logged."""
        greenlet: Greenlet[..., Any] = self.greenlet.spawn(function, *args)
        greenlet.link_exception(greenlet_exception_logger(logger))
        return greenlet

    def _note_user_error(self, user_instance: object, exception: BaseException, tb: Any, **_: Any) -> None:
        self.log_user_error(exception, tb)


class InProcessPort:
    """Runs a test with the users of this process."""

    population: UserPopulation

    def __init__(self, runner: LocalRunner, environment: Environment) -> None:
        self._runner = runner
        self._environment = environment
        self._ramp: Greenlet[..., Any] | None = None
        self._shape: Greenlet[..., Any] | None = None

    def start(
        self, *, user_count: int, spawn_rate: float, user_classes: list[type[User]] | None, wait: bool
    ) -> None:
        if spawn_rate <= 0:
            raise ValueError(f"spawn_rate must be above 0, not {spawn_rate}")
        runner, environment = self._runner, self._environment
        runner.target_user_count = user_count
        runner.spawn_rate = spawn_rate
        if runner.state in _NOT_RUNNING:
            environment.stats.clear_all()
            runner.exceptions = {}
            environment.filter_tasks_by_tags()
            runner.state = STATE_SPAWNING
            environment.events.test_start.fire(environment=environment)
        runner.state = STATE_SPAWNING
        environment.apply_host()
        if self._ramp is not None:
            self._ramp.kill()
        self._ramp = runner.spawn_background(self._ramp_to, user_count, spawn_rate, user_classes)
        if wait:
            self._ramp.join()

    def stop(self) -> None:
        runner, environment = self._runner, self._environment
        if runner.state in (*_NOT_RUNNING, STATE_CLEANUP):
            return
        environment.events.test_stopping.fire(environment=environment)
        runner.final_user_classes_count = runner.user_classes_count
        runner.state = STATE_CLEANUP
        for greenlet in (self._ramp, self._shape):
            if greenlet is not None and greenlet is not getcurrent():
                greenlet.kill()
        self._ramp = self._shape = None
        self.population.stop_all()
        runner.state = STATE_STOPPED
        environment.events.test_stop.fire(environment=environment)

    def quit(self) -> None:
        self.stop()
        for greenlet in list(self._runner.greenlet):
            if greenlet is not getcurrent():
                greenlet.kill(block=False)

    def send_message(self, *, message_type: str, data: Any, client_id: str | None) -> None:
        self._runner.deliver_message(Message(message_type, data, "local"))

    def user_classes_count(self) -> dict[str, int]:
        return self.population.counts()

    def stop_test(self, reason: str) -> None:
        """Ends the test because a user raised StopTest."""
        logger.error("a user stopped the test: %s", reason)
        options = self._environment.parsed_options
        headless = getattr(options, "headless", False)
        # Not in the runner's own group: quit() ends that.
        gevent.spawn(self.quit if headless else self.stop)

    def follow_shape(self, shape: Any) -> None:
        """Asks the shape once a second and does as it says; a slow ramp never delays the next question."""
        if self._shape is None or self._shape.ready():
            self._shape = self._runner.spawn_background(self._ask_shape, shape)

    def watch_usage(self) -> None:
        """Fires `usage_monitor` and `cpu_warning`, for ever."""
        process = psutil.Process()
        process.cpu_percent()
        warned = False
        while True:
            gevent.sleep(runners.CPU_MONITOR_INTERVAL)
            cpu_usage = self._runner.current_cpu_usage = process.cpu_percent()
            memory_usage = self._runner.current_memory_usage = process.memory_info().rss
            events = self._environment.events
            if cpu_usage > runners.CPU_WARNING_THRESHOLD:
                events.cpu_warning.fire(environment=self._environment, cpu_usage=cpu_usage)
                if not warned:
                    logger.warning(
                        "this process is short of CPU: response times may be wrong: cpu=%d%%", cpu_usage
                    )
                    warned = True
            events.usage_monitor.fire(
                environment=self._environment, cpu_usage=cpu_usage, memory_usage=memory_usage
            )

    def _ask_shape(self, shape: Any) -> None:
        last = None
        while True:
            tick = shape.tick()
            if tick is None:
                headless = getattr(self._environment.parsed_options, "headless", False)
                (self.quit if headless else self.stop)()
                return
            if tick != last:
                user_count, spawn_rate, *classes = tick
                self.start(
                    user_count=user_count,
                    spawn_rate=spawn_rate,
                    user_classes=classes[0] if classes else None,
                    wait=False,
                )
                last = tick
            gevent.sleep(SHAPE_INTERVAL_S)

    def _ramp_to(self, user_count: int, spawn_rate: float, user_classes: list[type[User]] | None) -> None:
        changes = self._changes(user_count, user_classes)
        started = time.perf_counter()
        for position, (user_class, is_start) in enumerate(changes):
            due = started + position / spawn_rate
            gevent.sleep(max(0.0, due - time.perf_counter()))
            if is_start:
                self.population.start_user(user_class)
            else:
                self.population.stop_users(user_class, 1)
        runner = self._runner
        runner.target_user_classes_count = runner.user_classes_count
        runner.state = STATE_RUNNING
        if self._environment.reset_stats:
            self._environment.stats.reset_all()
        self._environment.events.spawning_complete.fire(user_count=runner.user_count)

    def _changes(
        self, user_count: int, user_classes: list[type[User]] | None
    ) -> list[tuple[type[User], bool]]:
        """Users to start (True) and stop (False); starts come in the fair order, stops spread among them."""
        chosen = self._environment.user_classes if user_classes is None else user_classes
        by_name = {cls.__name__: cls for cls in chosen}
        sequence = user_sequence(
            {name: cls.weight for name, cls in by_name.items()},
            {name: cls.fixed_count for name, cls in by_name.items()},
        )
        wanted: Counter[type[User]] = Counter()
        starts: list[type[User]] = []
        for name in islice(sequence, user_count):
            user_class = by_name[name]
            wanted[user_class] += 1
            if wanted[user_class] > self.population.placed_count(user_class):
                starts.append(user_class)
        stops: list[type[User]] = []
        for user_class in dict.fromkeys([*self._environment.user_classes, *chosen]):
            stops += [user_class] * (self.population.placed_count(user_class) - wanted[user_class])
        changes = _spread(stops, is_start=False) + _spread(starts, is_start=True)
        changes.sort(key=lambda change: change[0])
        return [(user_class, is_start) for _, user_class, is_start in changes]


def _spread(classes: list[type[User]], *, is_start: bool) -> list[tuple[float, type[User], bool]]:
    """Gives each change its place on the way, 0 to 1."""
    return [(place / len(classes), user_class, is_start) for place, user_class in enumerate(classes)]
