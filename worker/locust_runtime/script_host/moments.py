"""Runs the listeners of a run's moments, in Locust's order, and answers when they have run.

The master waits for the answer before it goes on, so that `test_start` comes before the first user and
`test_stop` after the last. Nothing here decides when a moment comes.
"""

from __future__ import annotations

import logging

from locust_protocol.runner.v1.link_pb2 import FromRunner, RunMoment, RunPhase, RunPhaseDone
from locust_protocol.v1.assignment_pb2 import RunSettings
from locust_runtime.run.user_code import UserCode, renew_options
from locust_runtime.runners import (
    STATE_RUNNING,
    STATE_STOPPED,
    STATE_STOPPING,
    MasterRunner,
)
from locust_runtime.script_host.cluster_view import ClusterView
from locust_runtime.script_host.listeners import Listeners
from locust_runtime.script_host.port import MasterPort
from locust_runtime.script_host.shape_ticker import ShapeTicker
from locust_runtime.script_host.uplink import Uplink

logger = logging.getLogger(__name__)

MAX_EXIT_CODE = 255
"""The highest exit code that a POSIX system passes on."""

MAX_LISTENER_ERRORS = 100
"""Messages of listeners in one answer; further ones are only in the log."""


class Moments:
    """The moments of a run, toward user code."""

    def __init__(
        self,
        *,
        user_code: UserCode,
        runner: MasterRunner,
        view: ClusterView,
        port: MasterPort,
        uplink: Uplink,
        settings: RunSettings,
    ) -> None:
        self._user_code = user_code
        self._environment = user_code.environment
        self._runner = runner
        self._view = view
        self._port = port
        self._settings = settings
        """What `parsed_options` were made of."""
        self._ticker = ShapeTicker(
            lambda tick: uplink.send(FromRunner(shape_tick=tick)),
            file=self._environment.locustfile or "the locustfile",
        )
        self.listeners = Listeners(self._environment, port)

    def run(self, phase: RunPhase) -> RunPhaseDone:
        """Run the listeners of a moment; returns the answer."""
        steps = {
            RunMoment.RUN_MOMENT_STARTING: self._start,
            RunMoment.RUN_MOMENT_SPAWNED: self._spawned,
            RunMoment.RUN_MOMENT_STOPPING: self._stopping,
            RunMoment.RUN_MOMENT_STOPPED: self._stopped,
            RunMoment.RUN_MOMENT_RESET: self._reset,
        }
        step = steps.get(phase.moment)
        errors = step(phase) if step is not None else []
        done = RunPhaseDone(moment=phase.moment, listener_errors=errors[:MAX_LISTENER_ERRORS])
        chosen = self._chosen_exit_code()
        if chosen is not None:
            done.process_exit_code = chosen
        return done

    def quit(self, exit_code: int) -> int | None:
        """Run the quitting and quit listeners; returns the exit code that the locustfile set, if any."""
        environment = self._environment
        self._ticker.stop()
        self.listeners.call(environment.events.quitting, reverse=True, environment=environment)
        chosen = self._chosen_exit_code()
        self.listeners.call(environment.events.quit, exit_code=exit_code if chosen is None else chosen)
        return chosen

    def _chosen_exit_code(self) -> int | None:
        """What user code set, which may be anything, as a code that a process can end with."""
        chosen: object = self._environment.process_exit_code
        if chosen is None or (isinstance(chosen, int) and 0 <= chosen <= MAX_EXIT_CODE):
            return None if chosen is None else int(chosen)
        logger.error("environment.process_exit_code is not between 0 and 255, 1 is taken: %r", chosen)
        return 1

    def _start(self, phase: RunPhase) -> list[str]:
        environment, runner = self._environment, self._runner
        self._ticker.stop()
        self._apply(phase.settings)
        elapsed_s = self._view.begin(phase.run_id)
        runner.target_user_count = phase.users
        runner.spawn_rate = phase.spawn_rate
        environment.shape_class = (environment.available_shape_classes or {}).get(phase.load_shape)
        if environment.shape_class is None and environment.parsed_options is not None:
            environment.parsed_options.num_users = phase.users
            environment.parsed_options.spawn_rate = phase.spawn_rate
        environment.filter_tasks_by_tags()
        errors = self.listeners.call(environment.events.test_start, environment=environment)
        if environment.shape_class is not None:
            environment.shape_class.runner = runner
            self._ticker.start(environment.shape_class, elapsed_s=elapsed_s)
        elif phase.load_shape:
            errors.append(f"the locustfile has no load shape {phase.load_shape!r}")
        return errors

    def _spawned(self, phase: RunPhase) -> list[str]:
        self._runner.state = STATE_RUNNING
        self._runner.spawning_completed = True
        self._port.release_waiting_starts()
        return self.listeners.call(self._environment.events.spawning_complete, user_count=phase.users)

    def _stopping(self, phase: RunPhase) -> list[str]:
        runner = self._runner
        errors = self.listeners.call(self._environment.events.test_stopping, environment=self._environment)
        self._ticker.stop()
        runner.final_user_classes_count = runner.user_classes_count
        runner.state = STATE_STOPPING
        return errors

    def _stopped(self, phase: RunPhase) -> list[str]:
        self._ticker.stop()
        self._runner.state = STATE_STOPPED
        self._port.release_waiting_starts()
        return self.listeners.call(self._environment.events.test_stop, environment=self._environment)

    def _reset(self, phase: RunPhase) -> list[str]:
        errors = self.listeners.call(self._environment.events.reset_stats)
        self._environment.stats.reset_all()
        return errors

    def _apply(self, settings: RunSettings) -> None:
        """Bring Environment and options to the settings of a run, in place: user code holds on to them."""
        environment = self._environment
        environment.stop_timeout = settings.stop_timeout_ms / 1000
        environment.host = settings.host or None
        for user_class, own_host in self._user_code.hosts.items():
            user_class.host = environment.host or own_host
        known = self._user_code.code.user_classes
        environment.user_classes[:] = [
            known[name] for name in settings.user_classes or known if name in known
        ]
        if settings != self._settings and renew_options(environment, settings):
            self._settings = settings
