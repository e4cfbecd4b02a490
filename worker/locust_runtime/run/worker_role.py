"""A runner under an agent: loads the locustfile, simulates users, reports.

Here the parts are made and joined, and messages of the agent go to where they belong. User code's wishes
(`runner.quit()`, StopTest, messages) go the other way; only the master decides about the run.
"""

from __future__ import annotations

import gc
import logging
import os
from typing import TYPE_CHECKING, Any, NoReturn

import gevent
from gevent import Greenlet
from gevent.event import AsyncResult
from gevent.queue import Full, Queue

from locust_protocol.process.exit_codes import ExitCode
from locust_protocol.runner.v1.link_pb2 import (
    FromRunner,
    Load,
    Loaded,
    Quit,
    QuitRequested,
    Quitting,
    ToRunner,
)
from locust_protocol.v1.value_pb2 import CustomMessage
from locust_runtime import log
from locust_runtime.environment import Environment
from locust_runtime.exceptions import LocustError
from locust_runtime.loader import LocustfileError
from locust_runtime.messages import Message
from locust_runtime.run.control import RunControl
from locust_runtime.run.health import UsageMeter
from locust_runtime.run.lag import LagMeter
from locust_runtime.run.link import Link, LinkClosed
from locust_runtime.run.log_buffer import LogBuffer
from locust_runtime.run.recorder import RunRecorder
from locust_runtime.run.reporter import Reporter
from locust_runtime.run.run_environment import RunEnvironment
from locust_runtime.run.spawner import UserPopulation
from locust_runtime.run.status import StatusBoard
from locust_runtime.run.traces import offer_traces
from locust_runtime.run.user_code import UserCode, load_failed, load_user_code
from locust_runtime.runners import WorkerRunner
from locust_runtime.values import from_value, to_value

if TYPE_CHECKING:
    from locust_runtime.users import User

logger = logging.getLogger(__name__)

LAST_WORDS_S = 5.0
"""Seconds that the last messages get to leave when the process ends; the agent has a limit of its own."""

LEASE_CHECK_S = 0.25
"""Seconds between two looks at the lease."""

MAX_WAITING_MESSAGES = 1_000
"""Custom messages that wait for slow listeners; further ones are dropped and said in the log."""


def run(link: Link, load: Load, *, lag: LagMeter) -> int:
    """Be a runner until the agent ends it; returns the exit code."""
    logs = LogBuffer(source=f"runner {load.slot}")
    log.setup_logging(load.settings.log_level or "INFO")
    logging.getLogger().addHandler(logs)
    port = WorkerPort(link, load)

    def make_runner(environment: Environment) -> WorkerRunner:
        runner = WorkerRunner(environment, port)
        runner.client_id = load.client_id
        runner.worker_index = load.index
        port.population = UserPopulation(
            environment, on_stop_test=port.stop_test, group=runner.user_greenlets
        )
        return runner

    try:
        user_code = load_user_code(load, make_runner)
    except LocustfileError as error:
        logger.error("%s", error)
        link.send(FromRunner(load_failed=load_failed(error)))
        link.wait_sent(timeout_s=LAST_WORDS_S)
        return ExitCode.USAGE
    role = WorkerRole(link=link, load=load, lag=lag, logs=logs, port=port, user_code=user_code)
    # What is loaded stays: the collector need not look at it again and again, nor pause users for it.
    gc.collect()
    gc.freeze()
    loaded = Loaded(manifest=user_code.manifest, pid=os.getpid())
    offer_traces(loaded)
    link.send(FromRunner(loaded=loaded))
    return role.run()


class WorkerPort:
    """Carries out what user code asks of `environment.runner`."""

    population: UserPopulation
    reporter: Reporter

    def __init__(self, link: Link, load: Load) -> None:
        self._link = link
        self._index = load.index

    def start(
        self, *, user_count: int, spawn_rate: float, user_classes: list[type[User]] | None, wait: bool
    ) -> NoReturn:
        raise LocustError("only the master can start a test; here `environment.runner` is a WorkerRunner")

    def stop(self) -> None:
        self._request_end("the locustfile called runner.stop()", end_program=False)

    def quit(self) -> None:
        self._request_end("the locustfile called runner.quit()", end_program=True)

    def stop_test(self, reason: str) -> None:
        """A user raised StopTest. Called where nothing may block."""
        text = f"a user raised StopTest: {reason}" if reason else "a user raised StopTest"
        gevent.spawn(self._request_end, text, end_program=False)

    def send_message(self, *, message_type: str, data: Any, client_id: str | None) -> None:
        message = CustomMessage(type=message_type, data=to_value(data), from_runner=self._index)
        self.reporter.add_message(message)

    def user_classes_count(self) -> dict[str, int]:
        return self.population.counts()

    def _request_end(self, reason: str, *, end_program: bool) -> None:
        logger.info("asks for an end: %s", reason)
        self._link.send(FromRunner(quit_requested=QuitRequested(reason=reason, end_program=end_program)))


class WorkerRole:
    """The parts of a runner, joined."""

    def __init__(
        self,
        *,
        link: Link,
        load: Load,
        lag: LagMeter,
        logs: LogBuffer,
        port: WorkerPort,
        user_code: UserCode,
    ) -> None:
        runner = user_code.environment.runner
        assert isinstance(runner, WorkerRunner)
        recorder = RunRecorder(max_series=load.max_series)
        run_environment = RunEnvironment(user_code, runner, recorder, load.settings)
        usage = UsageMeter()
        board = StatusBoard(
            load=load,
            lag=lag,
            usage=usage,
            recorder=recorder,
            population=port.population,
            user_classes=user_code.code.user_classes,
        )
        self._link = link
        self._environment = user_code.environment
        self._runner = runner
        self._usage = usage
        self._population = port.population
        self._reporter = port.reporter = Reporter(
            link=link,
            recorder=recorder,
            logs=logs,
            board=board,
            user_data=run_environment.collect_user_data,
            flush_interval_ms=load.flush_interval_ms,
        )
        self._control = RunControl(
            link=link,
            run=run_environment,
            recorder=recorder,
            reporter=self._reporter,
            population=port.population,
            board=board,
        )
        self._custom_messages: Queue[CustomMessage] = Queue(maxsize=MAX_WAITING_MESSAGES)
        self._exit_code: AsyncResult[int] = AsyncResult()

    def run(self) -> int:
        """Serve the agent until it ends this process; returns the exit code. Raises what broke a part."""
        for part in (
            self._reporter.run,
            self._serve,
            self._deliver_custom_messages,
            self._watch_lease,
            lambda: self._usage.watch(self._environment),
        ):
            # A part that breaks ends the process: half a runner would count wrongly.
            gevent.spawn(part).link_exception(self._break)
        exit_code = self._exit_code.get()
        assert exit_code is not None
        return exit_code

    def _break(self, greenlet: Greenlet[..., Any]) -> None:
        self._exit_code.set_exception(greenlet.exception or RuntimeError(f"{greenlet} ended"))

    def _serve(self) -> None:
        control = gevent.spawn(self._control.run)
        control.link_exception(self._break)
        try:
            for message in self._link.messages():
                if message.WhichOneof("frame") == "quit":
                    gevent.spawn(self._quit, message.quit, control)
                else:
                    self._take(message)
        except LinkClosed:
            # Nobody is left to report to; the watchdog sees to it that this does not take long.
            self._population.stop_all(0)
            self._exit_code.set(ExitCode.DEGRADED)

    def _take(self, message: ToRunner) -> None:
        kind = message.WhichOneof("frame")
        if kind == "target":
            self._control.take(message.target)
        elif kind == "report_accepted":
            self._reporter.accept(message.report_accepted.run_id, message.report_accepted.sequence)
        elif kind == "custom_message":
            try:
                self._custom_messages.put_nowait(message.custom_message)
            except Full:
                logger.warning(
                    "a custom message is dropped, listeners are too slow: type=%s",
                    message.custom_message.type,
                )
        else:
            logger.error("a message of the agent makes no sense here: kind=%s", kind)

    def _watch_lease(self) -> None:
        while True:
            gevent.sleep(LEASE_CHECK_S)
            if self._link.lease.is_over:
                self._control.fence()

    def _deliver_custom_messages(self) -> None:
        while True:
            message = self._custom_messages.get()
            self._runner.deliver_message(
                Message(message.type, from_value(message.data), self._runner.client_id)
            )

    def _quit(self, order: Quit, control: Greenlet[..., Any]) -> None:
        self._control.quit()
        control.join()
        environment = self._environment
        environment.events.quitting.fire(environment=environment, reverse=True)
        self._reporter.flush()
        answer = Quitting()
        if environment.process_exit_code is not None:
            answer.process_exit_code = environment.process_exit_code
        self._link.send(FromRunner(quitting=answer))
        environment.events.quit.fire(exit_code=order.exit_code)
        self._link.wait_sent(timeout_s=LAST_WORDS_S)
        self._exit_code.set(ExitCode.OK)
