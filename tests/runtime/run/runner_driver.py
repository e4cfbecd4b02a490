"""Drives a real runner process over its socket pair, as an agent would, from plain blocking code.

Every report that arrives is kept and accepted; `wait_for` reads on until a condition holds. It must end the
process that it started, by its own pid, however the test went.
"""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from locust_protocol.framing import FrameDecoder, encode_frame
from locust_protocol.runner.v1.link_pb2 import (
    FromRunner,
    Load,
    Ping,
    Quit,
    ReportAccepted,
    RunnerRole,
    Target,
    ToRunner,
)
from locust_protocol.v1.assignment_pb2 import (
    ClassGoal,
    ClusterView,
    Phase,
    RunSettings,
    Span,
    UserSchedule,
)
from locust_protocol.v1.report_pb2 import Report

DEADLINE_S = 40.0
"""Seconds until a condition that does not come true fails its test; a crowded machine is slow."""

RUN_ID = b"0123456789abcdef"


class RunnerDriver:
    """One runner process: `with RunnerDriver() as runner:`."""

    def __init__(self, *, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> None:
        """`folder` and `environment` are what the process inherits, this one's without them."""
        self._folder = folder
        self._environment = environment
        self.received: list[FromRunner] = []
        self.reports: list[Report] = []
        self.accepts_reports = True
        self._decoder = FrameDecoder()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Self:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "locust_runtime", "--link-fd", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stderr=self._stderr,
                cwd=self._folder,
                env=self._environment,
                start_new_session=True,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if error is not None:
            error.add_note(f"exit code: {self.process.returncode}\n--- stderr of the runner\n{self.stderr()}")
        self._stderr.close()

    def stderr(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read().decode(errors="replace")

    def send(self, **frame: Any) -> None:
        """Send a message; the keyword is the name of its frame."""
        self._socket.sendall(encode_frame(ToRunner(**frame).SerializeToString()))

    def send_raw(self, data: bytes) -> None:
        self._socket.sendall(data)

    def load(self, directory: Path, *locustfiles: str, **changes: Any) -> None:
        """Let it load locustfiles as a runner of an agent."""
        settings = changes.pop("settings", RunSettings(log_level="INFO"))
        fields: dict[str, Any] = {
            "role": RunnerRole.RUNNER_ROLE_WORKER,
            "directory": str(directory),
            "locustfiles": locustfiles or ("locustfile.py",),
            "settings": settings,
            "slot": 1,
            "index": 3,
            "client_id": "host-b_1",
            "flush_interval_ms": 50,
            "max_series": 100,
        }
        self.send(load=Load(**{**fields, **changes}))

    def target(
        self,
        phase: Phase.ValueType,
        users: dict[str, int] | None = None,
        *,
        generation: int = 1,
        run_id: bytes = RUN_ID,
        stop_timeout_ms: int = 0,
        spans: dict[str, Sequence[Span]] | None = None,
        **changes: Any,
    ) -> None:
        """Tell it what to run: so many users of each class at once, or by spans."""
        schedules = {name: UserSchedule(base_users=count) for name, count in (users or {}).items()}
        for name, each in (spans or {}).items():
            schedules.setdefault(name, UserSchedule()).spans.extend(each)
        settings = changes.pop("settings", RunSettings())
        settings.stop_timeout_ms = stop_timeout_ms
        fields: dict[str, Any] = {
            "generation": generation,
            "run_id": run_id,
            "phase": phase,
            "goals": [ClassGoal(user_class=name, users=each) for name, each in schedules.items()],
            "run_start_ns": self.run_start_ns,
            "settings": settings,
            "cluster": ClusterView(runners=2, target_users=10),
        }
        self.send(target=Target(**{**fields, **changes}))

    run_start_ns = 0

    def start_clock(self) -> None:
        """Let run time zero be now."""
        self.run_start_ns = time.monotonic_ns()

    def ping(self, number: int) -> None:
        self.send(ping=Ping(id=number))

    def quit(self, exit_code: int = 0) -> None:
        self.send(quit=Quit(exit_code=exit_code))

    def wait_for(self, condition: Callable[[], Any], what: str, *, deadline_s: float = DEADLINE_S) -> Any:
        """Read on until the condition is truthy, and return it."""
        deadline = time.monotonic() + deadline_s
        while not (seen := condition()):
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {deadline_s} s: {what}; last: {self.received[-3:]}")
            if not self._read() and not condition():
                raise AssertionError(f"the link was closed before: {what}")
        return seen

    def wait_for_frame(self, kind: str) -> Any:
        """Wait for the first message of a kind, and return it."""
        return self.wait_for(lambda: self.frames(kind), f"a message {kind}")[0]

    def frames(self, kind: str) -> list[Any]:
        return [getattr(each, kind) for each in self.received if each.WhichOneof("frame") == kind]

    def wait_for_exit(self, *, deadline_s: float = DEADLINE_S) -> int:
        """Read until the link is closed, then wait for the exit code."""
        deadline = time.monotonic() + deadline_s
        while self._read():
            assert time.monotonic() < deadline, "the link is still open"
        return self.process.wait(deadline_s)

    def final_report(self) -> Report:
        self.wait_for(lambda: any(each.final for each in self.reports), "the final report")
        return next(each for each in self.reports if each.final)

    def users(self) -> dict[str, int]:
        """Running users by class, by the latest report."""
        status = self.reports[-1].status if self.reports else None
        return {each.user_class: each.running for each in status.users} if status else {}

    def counted(self, column: str, run_id: bytes = RUN_ID) -> Counter[str]:
        """The sum of a column of all slices of a run, by request name."""
        names = {0: "(other)"}
        sums: Counter[str] = Counter()
        for report in self.reports:
            if report.run_id != run_id:
                continue
            names |= {each.id: each.name for each in report.series}
            for each in report.slices:
                for series_id, value in zip(each.series_id, getattr(each, column), strict=True):
                    sums[names[series_id]] += value
        return +sums

    def log_texts(self) -> list[str]:
        return [record.text for report in self.reports for record in report.logs]

    def _read(self) -> bool:
        """Take what arrives within a moment; False when the link is closed."""
        readable, _, _ = select.select([self._socket], [], [], 0.02)
        if not readable:
            return True
        try:
            data = self._socket.recv(1 << 16)
        except ConnectionResetError:
            return False
        for payload in self._decoder.feed(data):
            self._take(FromRunner.FromString(payload))
        return bool(data)

    def _take(self, message: FromRunner) -> None:
        self.received.append(message)
        if message.WhichOneof("frame") != "report":
            return
        self.reports.append(message.report)
        if self.accepts_reports and message.report.sequence:
            accepted = ReportAccepted(run_id=message.report.run_id, sequence=message.report.sequence)
            try:
                self.send(report_accepted=accepted)
            except BrokenPipeError:
                return
