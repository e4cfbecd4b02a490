"""The script host: frames of the master in, user code run, frames out.

One greenlet reads the link and does nothing that may wait. Snapshots it shows at once; moments of a run go
into one lane, messages into another, so that a `test_start` listener may wait for a worker's answer.
"""

from __future__ import annotations

import logging
import os

import gevent
from gevent.event import AsyncResult

from locust_protocol.process.exit_codes import ExitCode
from locust_protocol.runner.v1.link_pb2 import (
    FromRunner,
    Load,
    ParseCommandLine,
    Quit,
    Quitting,
    RunPhase,
    ToRunner,
    WorkerConnected,
    WorkerData,
)
from locust_protocol.v1.value_pb2 import CustomMessage
from locust_runtime import log
from locust_runtime.loader import LocustfileError, load_locustfiles
from locust_runtime.messages import Message
from locust_runtime.run.link import Link, LinkClosed
from locust_runtime.run.log_buffer import LogBuffer
from locust_runtime.run.user_code import load_failed
from locust_runtime.script_host.command_line import parse_command_line
from locust_runtime.script_host.lane import Lane
from locust_runtime.script_host.loaded import LoadedLocustfile
from locust_runtime.script_host.uplink import Uplink
from locust_runtime.script_host.usage import watch_usage
from locust_runtime.values import from_value

logger = logging.getLogger(__name__)

LAST_WORDS_S = 5.0
"""Seconds that the last frames get to leave when the process ends."""

MAX_WAITING_MOMENTS = 100
"""Moments that wait for slow listeners; the master waits for the answer to each, so there are never many."""

MAX_WAITING_MESSAGES = 10_000
"""Messages and workers' data that wait for slow listeners: some minutes of a large test."""

MESSAGES_FIRST_S = 1.0
"""Seconds that a moment waits for the messages that came before it; a listener may need longer for one."""


def run(link: Link, load: Load) -> int:
    """Be the script host until the master ends it; returns the exit code."""
    logs = LogBuffer(source="script host")
    log.setup_logging(load.settings.log_level or "INFO")
    logging.getLogger().addHandler(logs)
    return ScriptHost(link, Uplink(link, logs)).run(load)


class ScriptHost:
    """Joins the link to the parts."""

    def __init__(self, link: Link, uplink: Uplink) -> None:
        self._link = link
        self._uplink = uplink
        self._start_directory = os.getcwd()
        self._loaded: LoadedLocustfile | None = None
        self._first_file = ""
        self._exit_code: AsyncResult[int] = AsyncResult()
        self._moments = Lane("moments of a run", max_waiting=MAX_WAITING_MOMENTS, on_error=self._take_error)
        self._messages = Lane(
            "messages of workers",
            max_waiting=MAX_WAITING_MESSAGES,
            on_error=self._take_error,
        )

    def run(self, load: Load) -> int:
        """Serve the master until it ends this process; returns the exit code. Raises what broke a part."""
        self._take(ToRunner(load=load))
        self._moments.start()
        self._messages.start()
        for part in (self._uplink.run, self._read):
            gevent.spawn(part).link_exception(lambda ended: self._take_error(ended.exception))
        while True:
            try:
                return int(self._exit_code.get() or 0)
            except SystemExit as order:
                # A greenlet of user code called sys.exit(): gevent raises it here.
                self._take_error(order)

    def _take_error(self, error: BaseException | None) -> None:
        """What came out of user code or of a part of this program."""
        if isinstance(error, SystemExit) and self._loaded is not None:
            self._loaded.moments.listeners.exit_by_user_code(error)
        else:
            self._exit_code.set_exception(error or RuntimeError("a part of the script host ended"))

    def _read(self) -> None:
        try:
            for frame in self._link.messages():
                self._take(frame)
        except LinkClosed:
            # Nobody is left to answer to.
            self._exit_code.set(ExitCode.DEGRADED)

    def _take(self, frame: ToRunner) -> None:
        kind = frame.WhichOneof("frame")
        if kind == "load":
            self._moments.add(lambda: self._load(frame.load))
        elif kind == "parse_command_line":
            self._moments.add(lambda: self._parse(frame.parse_command_line))
        elif kind == "quit":
            # Not into the lane: the master gave up on a moment that still runs there.
            gevent.spawn(self._quit, frame.quit).link_exception(
                lambda ended: self._take_error(ended.exception)
            )
        elif self._loaded is None:
            logger.error("a frame of the master comes before the locustfile is loaded: kind=%s", kind)
        else:
            self._take_loaded(frame, self._loaded)

    def _take_loaded(self, frame: ToRunner, loaded: LoadedLocustfile) -> None:
        kind = frame.WhichOneof("frame")
        if kind == "snapshot":
            loaded.view.show(frame.snapshot)
        elif kind == "run_phase":
            self._moments.add(lambda: self._run_moment(loaded, frame.run_phase))
        elif kind == "custom_message":
            self._messages.add(lambda: _deliver(loaded, frame.custom_message))
        elif kind == "worker_connected":
            connected = frame.worker_connected
            loaded.view.add_worker(connected.client_id, connected.index)
            self._messages.add(lambda: _tell_connected(loaded, connected))
        elif kind == "worker_data":
            self._messages.add(lambda: _tell_data(loaded, frame.worker_data))
        else:
            logger.error("a frame of the master makes no sense here: kind=%s", kind)

    def _load(self, load: Load) -> None:
        try:
            if load.HasField("settings"):
                if load.settings.log_level:
                    logging.getLogger().setLevel(load.settings.log_level.upper())
                # What an earlier Load has imported is not imported again.
                loaded = LoadedLocustfile(load, self._uplink)
                self._loaded = loaded
                self._uplink.send(FromRunner(loaded=loaded.answer))
                gevent.spawn(watch_usage, loaded.environment).link_exception(
                    lambda ended: self._take_error(ended.exception)
                )
            else:
                code = load_locustfiles(load.directory, list(load.locustfiles))
                self._first_file = code.files[0] if code.files else ""
        except LocustfileError as error:
            self._fail(error)

    def _parse(self, order: ParseCommandLine) -> None:
        try:
            answer = parse_command_line(order, start_directory=self._start_directory, file=self._first_file)
        except LocustfileError as error:
            self._fail(error)
        else:
            self._uplink.send(FromRunner(command_line=answer))

    def _fail(self, error: LocustfileError) -> None:
        self._uplink.send(FromRunner(load_failed=load_failed(error)))
        self._link.wait_sent(timeout_s=LAST_WORDS_S)
        self._exit_code.set(ExitCode.USAGE)

    def _run_moment(self, loaded: LoadedLocustfile, phase: RunPhase) -> None:
        self._messages.wait_idle(timeout_s=MESSAGES_FIRST_S)
        done = loaded.moments.run(phase)
        self._uplink.send(FromRunner(run_phase_done=done))

    def _quit(self, order: Quit) -> None:
        answer = Quitting()
        if self._loaded is not None:
            self._messages.wait_idle(timeout_s=MESSAGES_FIRST_S)
            chosen = self._loaded.moments.quit(order.exit_code)
            if chosen is not None:
                answer.process_exit_code = chosen
        self._uplink.send(FromRunner(quitting=answer))
        self._link.wait_sent(timeout_s=LAST_WORDS_S)
        self._exit_code.set(ExitCode.OK)


def _deliver(loaded: LoadedLocustfile, message: CustomMessage) -> None:
    sender = loaded.view.client_id(message.from_runner) if message.HasField("from_runner") else "local"
    loaded.runner.deliver_message(Message(message.type, from_value(message.data), sender))


def _tell_connected(loaded: LoadedLocustfile, connected: WorkerConnected) -> None:
    events = loaded.environment.events
    loaded.moments.listeners.call(events.worker_connect, client_id=connected.client_id)


def _tell_data(loaded: LoadedLocustfile, data: WorkerData) -> None:
    events = loaded.environment.events
    loaded.moments.listeners.call(events.worker_report, client_id=data.client_id, data=from_value(data.data))
