"""Drives a real script host over its socket pair, as a master would, from plain blocking code."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from locust_protocol.runner.v1.link_pb2 import (
    CommandLine,
    Load,
    Loaded,
    ParseCommandLine,
    RunMoment,
    RunnerRole,
    RunPhase,
    RunPhaseDone,
)
from locust_protocol.v1.assignment_pb2 import RunSettings
from locust_protocol.v1.snapshot_pb2 import Snapshot
from locust_protocol.v1.value_pb2 import CustomMessage
from tests.runtime.run.runner_driver import RUN_ID, RunnerDriver


class HostDriver(RunnerDriver):
    """One script host, started in a folder and with an environment of its own."""

    def __init__(self, start_directory: Path, environment: Mapping[str, str] | None = None) -> None:
        own = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
        super().__init__(
            folder=start_directory,
            environment={**own, "HOME": str(start_directory), **(environment or {})},
        )
        self._taken = 0

    def import_locustfile(self, folder: Path) -> None:
        """The first Load of two: nothing is answered."""
        role = RunnerRole.RUNNER_ROLE_MASTER
        self.send(load=Load(role=role, directory=str(folder), locustfiles=["locustfile.py"]))

    def parse(self, *arguments: str, help: bool = False, program: str = "locust-master") -> CommandLine:
        """Let it parse a command line."""
        self.send(parse_command_line=ParseCommandLine(arguments=arguments, program=program, help=help))
        answer: CommandLine = self.next("command_line")
        return answer

    def load_master(self, folder: Path, settings: RunSettings | None = None) -> Loaded:
        """Load with settings, as a master does; returns the answer."""
        self.load(
            folder,
            role=RunnerRole.RUNNER_ROLE_MASTER,
            client_id="master",
            settings=settings or RunSettings(log_level="INFO"),
        )
        answer: Loaded = self.next("loaded")
        return answer

    def moment(self, moment: RunMoment.ValueType, **fields: Any) -> RunPhaseDone:
        """Let a moment of the run come, and wait until its listeners have run."""
        self.begin_moment(moment, **fields)
        done: RunPhaseDone = self.next("run_phase_done")
        assert done.moment == moment
        return done

    def begin_moment(self, moment: RunMoment.ValueType, **fields: Any) -> None:
        self.send(run_phase=RunPhase(**{"moment": moment, "run_id": RUN_ID, "users": 5, **fields}))

    def show(self, snapshot: Snapshot) -> None:
        self.send(snapshot=snapshot)

    def next(self, kind: str) -> Any:
        """Wait for the next frame of a kind and return it; frames before it are passed over."""

        def place() -> int | None:
            kinds = [each.WhichOneof("frame") for each in self.received[self._taken :]]
            if "load_failed" in kinds and kind != "load_failed":
                raise AssertionError(f"the locustfile cannot be loaded: {self.frames('load_failed')}")
            return self._taken + kinds.index(kind) + 1 if kind in kinds else None

        self._taken = self.wait_for(place, f"a frame {kind}")
        return getattr(self.received[self._taken - 1], kind)

    def messages(self) -> Sequence[CustomMessage]:
        """Custom messages that it sent so far."""
        return [message for report in self.reports for message in report.messages]

    def wait_for_log(self, text: str) -> None:
        """Wait until a log record with the text has come."""
        self.wait_for(lambda: any(text in each for each in self.log_texts()), f"a log record with {text!r}")
