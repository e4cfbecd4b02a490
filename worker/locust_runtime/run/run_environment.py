"""The locustfile's side of a run: settings applied to its Environment, its listeners called in time.

It never starts or stops a user, and decides nothing about when.
"""

from __future__ import annotations

import logging
import random
import traceback
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from locust_protocol.limits import MAX_REPORT_BYTES
from locust_protocol.runner.v1.link_pb2 import Target
from locust_protocol.schedule import UserSchedule, final_users
from locust_protocol.v1.assignment_pb2 import ClusterView, RunSettings
from locust_protocol.v1.report_pb2 import RunnerData
from locust_runtime.environment import Environment
from locust_runtime.events import EventHook
from locust_runtime.exception_log import tell_repeated
from locust_runtime.exceptions import StopTest
from locust_runtime.run.recorder import RunRecorder
from locust_runtime.run.user_code import UserCode, renew_options
from locust_runtime.runners import (
    STATE_CLEANUP,
    STATE_RUNNING,
    STATE_SPAWNING,
    STATE_STOPPED,
    WorkerRunner,
)
from locust_runtime.users import User
from locust_runtime.values import ValueRefused, to_value

logger = logging.getLogger(__name__)

MAX_USER_DATA_BYTES = MAX_REPORT_BYTES // 4
"""Bytes that report_to_master listeners may add to one report: samples of several runners share its limit."""


class RunEnvironment:
    """What user code sees of the run that is on."""

    def __init__(
        self, user_code: UserCode, runner: WorkerRunner, recorder: RunRecorder, settings: RunSettings
    ) -> None:
        self._user_code = user_code
        self._runner = runner
        self._recorder = recorder
        self._settings = settings
        """What `parsed_options` were made of."""
        self._cluster = ClusterView()
        self._refused_data = ""
        self._spawned: object = None
        """The goal for which the spawning_complete listeners were called last."""
        self._environment.recorder = recorder
        self._environment.events.user_error.add_listener(self._note_user_error)

    @property
    def user_classes(self) -> Mapping[str, type[User]]:
        """All user classes by name, those that were not chosen included: goals name what runs."""
        return self._user_code.code.user_classes

    def begin(self, target: Target) -> None:
        """A run begins: settings, then the test_start listeners."""
        environment, runner = self._environment, self._runner
        environment.stats.clear_all()
        runner.exceptions = {}
        runner.final_user_classes_count = {}
        self._spawned = None
        self._apply(target)
        if target.settings.HasField("seed"):
            random.seed(f"{target.settings.seed}:{runner.worker_index}")
        environment.filter_tasks_by_tags()
        runner.state = STATE_SPAWNING
        self._fire(environment.events.test_start, environment=environment)

    def update(self, target: Target, schedules: Sequence[tuple[type[User], UserSchedule]]) -> bool:
        """The goals are new; returns whether users are wanted that were not: then they are to be spawned.

        They are not when the master only says the same again, or moves due times.
        """
        self._apply(target)
        runner = self._runner
        runner.target_user_classes_count = {each.user_class: final_users(each) for _, each in schedules}
        runner.target_user_count = sum(runner.target_user_classes_count.values())
        if self._spawned == self._goal():
            return False
        runner.state = STATE_SPAWNING
        return True

    def after_spawning(self) -> None:
        """All users of this runner run: the spawning_complete listeners."""
        self._runner.state = STATE_RUNNING
        self._spawned = self._goal()
        self._fire(self._environment.events.spawning_complete, user_count=self._cluster.target_users)

    def before_stop(self, user_counts: dict[str, int]) -> None:
        """The run is about to end, users still run: the test_stopping listeners."""
        self._runner.final_user_classes_count = dict(user_counts)
        self._fire(self._environment.events.test_stopping, environment=self._environment)
        self._runner.state = STATE_CLEANUP

    def after_stop(self) -> None:
        """All users have ended: the test_stop listeners."""
        self._runner.state = STATE_STOPPED
        self._fire(self._environment.events.test_stop, environment=self._environment)
        tell_repeated()

    def collect_user_data(self) -> RunnerData | None:
        """What the report_to_master listeners want the master's worker_report listeners to have."""
        data: dict[str, Any] = {}
        self._fire(self._environment.events.report_to_master, client_id=self._runner.client_id, data=data)
        if not data:
            return None
        try:
            value = to_value(data)
            if value.ByteSize() > MAX_USER_DATA_BYTES:
                raise ValueRefused(f"it has {value.ByteSize()} bytes, the limit is {MAX_USER_DATA_BYTES}")
        except ValueRefused as error:
            if str(error) != self._refused_data:
                self._refused_data = str(error)
                logger.error("what report_to_master listeners added cannot be sent: %s", error)
            return None
        return RunnerData(runner_index=max(0, self._runner.worker_index), data=value)

    @property
    def _environment(self) -> Environment:
        return self._user_code.environment

    def _fire(self, event: EventHook, **arguments: Any) -> None:
        """Fire an event outside of any user: what would steer a user there has nothing to steer here."""
        try:
            event.fire(**arguments)
        except StopTest as stop:
            logger.error("a listener stops the test: %s", stop)
            self._runner.stop()
        except Exception:
            logger.exception("a listener raised what only a user may raise")

    def _goal(self) -> object:
        return self._cluster.target_users, dict(self._runner.target_user_classes_count)

    def _apply(self, target: Target) -> None:
        environment, runner, settings = self._environment, self._runner, target.settings
        self._cluster = target.cluster
        runner.worker_count = target.cluster.runners
        environment.stop_timeout = settings.stop_timeout_ms / 1000
        environment.host = settings.host or None
        for user_class, own_host in self._user_code.hosts.items():
            user_class.host = environment.host or own_host
        if settings.log_level:
            logging.getLogger().setLevel(settings.log_level.upper())
        if not _same_options(settings, self._settings) and renew_options(environment, settings):
            self._settings = settings

    def _note_user_error(self, exception: BaseException, tb: TracebackType | None, **_rest: object) -> None:
        text = "".join(traceback.format_tb(tb))
        self._recorder.record_exception(exception, text)
        self._runner.log_exception(self._runner.client_id, str(exception), text)


def _same_options(one: RunSettings, other: RunSettings) -> bool:
    return (
        list(one.arguments) == list(other.arguments)
        and list(one.secret_arguments) == list(other.secret_arguments)
        and one.host == other.host
    )
