"""The script host: the locustfile loaded beside the master, in a process of its own.

It tells what the locustfile offers, runs the listeners that belong on a master, ticks the load shape and
handles custom messages. Whatever user code does there, the master goes on: every wait has a deadline, and a
host that dies is said once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from locust_master.bundle import Bundle
from locust_protocol.process.errors import UsageError
from locust_protocol.process.runner_process import RunnerProcess
from locust_protocol.runner.v1 import link_pb2
from locust_protocol.v1 import assignment_pb2, manifest_pb2, snapshot_pb2, value_pb2

logger = logging.getLogger(__name__)

LOAD_TIMEOUT_S = 60.0
"""Seconds that loading a locustfile may take."""

COMMAND_LINE_TIMEOUT_S = 10.0
"""Seconds that parsing the command line with the locustfile's own arguments may take."""

FLUSH_INTERVAL_MS = 250
"""Milliseconds between two messages with the host's logs."""

LISTENER_TIMEOUT_S = 60.0
"""Seconds that the listeners of one moment may take; a run starts and ends without waiting longer."""


LAST_FRAMES_S = 1.0
"""Seconds after the process ended in which the last of its frames are still read."""


class LocustfileError(UsageError):
    """The locustfile could not be loaded."""


class ScriptHost:
    """One life of the script host."""

    def __init__(self) -> None:
        self.on_frame: Callable[[link_pb2.FromRunner], None] = _ignore
        self._process: RunnerProcess | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._answers: dict[str, asyncio.Future[link_pb2.FromRunner]] = {}
        self._end: LocustfileError | None = None
        self._is_stopping = False
        self._lock = asyncio.Lock()

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        """Starts the process; its frames are read in `tasks`."""
        self._process = await RunnerProcess.start()
        self._watcher = tasks.create_task(self._watch(self._process), name="script-host")

    async def parse_command_line(
        self, bundle: Bundle, arguments: list[str], *, program: str, wants_help: bool
    ) -> link_pb2.CommandLine:
        """Parses the command line with the locustfile's own arguments. Raises `LocustfileError`."""
        self._send(
            load=link_pb2.Load(
                role=link_pb2.RUNNER_ROLE_MASTER,
                directory=str(bundle.root),
                locustfiles=bundle.manifest.locustfiles,
                bundle_digest=bundle.digest,
            )
        )
        frame = await self._ask(
            "command_line",
            COMMAND_LINE_TIMEOUT_S,
            parse_command_line=link_pb2.ParseCommandLine(
                arguments=arguments, program=program, help=wants_help
            ),
        )
        return frame.command_line

    async def load(self, bundle: Bundle, settings: assignment_pb2.RunSettings) -> manifest_pb2.Manifest:
        """Loads the locustfile and returns what it offers. Raises `LocustfileError`."""
        frame = await self._ask(
            "loaded",
            LOAD_TIMEOUT_S,
            load=link_pb2.Load(
                role=link_pb2.RUNNER_ROLE_MASTER,
                directory=str(bundle.root),
                locustfiles=bundle.manifest.locustfiles,
                bundle_digest=bundle.digest,
                settings=settings,
                client_id="master",
                flush_interval_ms=FLUSH_INTERVAL_MS,
            ),
        )
        return frame.loaded.manifest

    async def run_moment(self, phase: link_pb2.RunPhase) -> link_pb2.RunPhaseDone:
        """Runs the listeners of a moment and waits for them, at most `LISTENER_TIMEOUT_S`."""
        try:
            frame = await self._ask(_moment_key(phase.moment), LISTENER_TIMEOUT_S, run_phase=phase)
        except LocustfileError as error:
            logger.warning("listeners did not finish: %s", error)
            return link_pb2.RunPhaseDone(moment=phase.moment)
        return frame.run_phase_done

    def tell_snapshot(self, snapshot: snapshot_pb2.Snapshot) -> None:
        """Hands the merged numbers to `environment.stats` and `environment.runner`."""
        self._send(snapshot=snapshot)

    def tell_message(self, message: value_pb2.CustomMessage) -> None:
        """Hands a custom message to its handler."""
        self._send(custom_message=message)

    def tell_worker_connected(self, client_id: str, index: int) -> None:
        """Runs the worker_connect listeners."""
        self._send(worker_connected=link_pb2.WorkerConnected(client_id=client_id, index=index))

    def tell_worker_data(self, client_id: str, data: value_pb2.Value) -> None:
        """Runs the worker_report listeners."""
        self._send(worker_data=link_pb2.WorkerData(client_id=client_id, data=data))

    async def quit(self, exit_code: int) -> int | None:
        """Runs the quitting listeners; returns `environment.process_exit_code`, None when it is not set."""
        result: int | None = None
        try:
            frame = await self._ask("quitting", LISTENER_TIMEOUT_S, quit=link_pb2.Quit(exit_code=exit_code))
            if frame.quitting.HasField("process_exit_code"):
                result = frame.quitting.process_exit_code
        except LocustfileError as error:
            logger.warning("quitting listeners did not finish: %s", error)
        await self.stop()
        return result

    async def stop(self) -> None:
        """Ends the process."""
        self._is_stopping = True
        if self._process is not None:
            await self._process.stop()
        if self._watcher is not None:
            await asyncio.wait((self._watcher,))

    def kill(self) -> None:
        """Ends the process at once."""
        self._is_stopping = True
        if self._process is not None:
            self._process.kill()

    def _send(self, **frame: object) -> None:
        if self._process is not None:
            self._process.send(link_pb2.ToRunner(**frame))  # type: ignore[arg-type]

    async def _ask(self, answer: str, timeout_s: float, **frame: object) -> link_pb2.FromRunner:
        async with self._lock:
            if self._end is not None:
                raise self._end
            future: asyncio.Future[link_pb2.FromRunner]
            future = self._answers[answer] = asyncio.get_running_loop().create_future()
            self._send(**frame)
            try:
                async with asyncio.timeout(timeout_s):
                    return await future
            except TimeoutError:
                raise LocustfileError(
                    f"the locustfile did not answer within {timeout_s:.0f} s",
                    remedy="look for code that waits for ever at import or in a listener",
                ) from None
            finally:
                del self._answers[answer]

    async def _watch(self, process: RunnerProcess) -> None:
        """Reads frames until the process ends. Its exit counts, not the end of the stream.

        A daemon that user code started may hold the other end open.
        """
        async with asyncio.TaskGroup() as tasks:
            reader = tasks.create_task(self._read(process), name="script-host-reader")
            code = await process.wait_exit()
            await asyncio.wait((reader,), timeout=LAST_FRAMES_S)
            reader.cancel()
        self._end = LocustfileError(f"the script host ended with exit code {code}", remedy="see its output")
        self._fail(self._end)
        if not self._is_stopping:
            logger.error("the script host ended: no listeners, no load shape here exit_code=%d", code)

    async def _read(self, process: RunnerProcess) -> None:
        async for frame in process.frames():
            self._take(frame)

    def _take(self, frame: link_pb2.FromRunner) -> None:
        kind = frame.WhichOneof("frame")
        if kind == "load_failed":
            self._fail(load_failure(frame.load_failed))
            return
        key = _moment_key(frame.run_phase_done.moment) if kind == "run_phase_done" else kind
        if key in self._answers:
            if not self._answers[key].done():
                self._answers[key].set_result(frame)
        else:
            self.on_frame(frame)

    def _fail(self, error: LocustfileError) -> None:
        for future in self._answers.values():
            if not future.done():
                future.set_exception(error)


def _moment_key(moment: link_pb2.RunMoment.ValueType) -> str:
    """Names the answer to one moment: a late answer to another one must not be taken for it."""
    return f"run_phase_done {moment}"


def _ignore(frame: link_pb2.FromRunner) -> None:
    logger.debug("frame before anybody listens: %s", frame.WhichOneof("frame"))


def load_failure(failed: link_pb2.LoadFailed) -> LocustfileError:
    """Turns what a runner says into one line with file, line and message."""
    place = f"{Path(failed.file).name}:{failed.line}" if failed.line else failed.file
    if failed.traceback:
        logger.debug("locustfile traceback:\n%s", failed.traceback)
    return LocustfileError(f"{place}: {failed.message}" if place else failed.message)
