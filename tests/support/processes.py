"""Real commands as processes, none of which outlives its test.

A `Command` runs in a session of its own (a signal meant for it reaches nothing else) and writes to
files, so no thread is needed to drain pipes and no output can block it. All that it starts inherits a
mark in its environment; by that mark strays are found and ended, each by its own pid, even when the
command died first and its children were adopted. Must never signal a process without the mark.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tests.support.wait import wait_until

MARK = "TEST_COMMAND_MARK"
"""Environment variable that every process below a Command inherits."""

STOP_DEADLINE_S = 5.0
"""Time between SIGTERM and SIGKILL: a command that takes longer to stop is a bug of its own test."""

TAIL_LINES = 60
"""Lines of each stream that a failed test shows."""


class Command:
    """One command as a process, from `with Command(argv) as command:` to the end of the block.

    `environment` is added to this process's; a value of None removes a variable. When the block fails,
    the exception carries the tail of the output as a note.
    """

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        environment: Mapping[str, str | None] | None = None,
    ) -> None:
        self.argv = [str(argument) for argument in argv]
        self._cwd = cwd
        self._mark = f"{os.getpid()}-{uuid.uuid4().hex}"
        self._environment = _merged({**(environment or {}), MARK: self._mark})
        self._folder = tempfile.TemporaryDirectory(prefix="command-")
        self._process: subprocess.Popen[bytes] | None = None
        self._kept: tuple[str, str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        if error is not None:
            error.add_note(self.describe())

    def start(self) -> None:
        """Start the process; raises FileNotFoundError when argv[0] is no program."""
        assert self._process is None, "a Command starts once"
        folder = Path(self._folder.name)
        with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
            self._process = subprocess.Popen(
                self.argv,
                cwd=self._cwd,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._started().pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal's number when one ended it."""
        return self._started().poll()

    def stdout(self) -> str:
        return self._texts()[0]

    def stderr(self) -> str:
        return self._texts()[1]

    def output(self) -> str:
        """Both streams so far, standard output first."""
        return "".join(self._texts())

    def find_line(self, pattern: str) -> re.Match[str] | None:
        """The first whole line so far, of either stream, in which `pattern` is found."""
        for text in self._texts():
            for line in text.splitlines(keepends=True):
                if line.endswith("\n") and (match := re.search(pattern, line.rstrip("\r\n"))):
                    return match
        return None

    def wait_for_line(self, pattern: str, *, deadline_s: float) -> re.Match[str]:
        """Wait for a whole line with `pattern` in it; fail at once if the process ends without one."""

        def found_or_ended() -> re.Match[str] | str:
            ended = self.exit_code is not None  # before the look: a last line may come with the end
            return self.find_line(pattern) or ("ended" if ended else "")

        found = wait_until(
            found_or_ended, deadline_s=deadline_s, describe=lambda: f"line {pattern!r}\n{self.describe()}"
        )
        if isinstance(found, str):
            raise AssertionError(f"ended without the line {pattern!r}\n{self.describe()}")
        return found

    def wait_for_exit(self, *, deadline_s: float) -> int:
        """Wait until the process has ended by itself and return its exit code."""
        wait_until(
            lambda: self.exit_code is not None,
            deadline_s=deadline_s,
            describe=lambda: f"the end of\n{self.describe()}",
        )
        exit_code = self.exit_code
        assert exit_code is not None
        return exit_code

    def send_signal(self, signal_number: signal.Signals) -> None:
        """Signal the process itself, not its children; nothing happens if it has ended."""
        self._started().send_signal(signal_number)

    def stop(self, *, deadline_s: float = STOP_DEADLINE_S) -> int:
        """Ask it to end with SIGTERM, insist with SIGKILL after `deadline_s`; returns the exit code."""
        return end_process(self._started(), deadline_s=deadline_s)

    def processes(self) -> list[int]:
        """Pids alive now that this command started, itself included, adopted orphans too."""
        return [process.pid for process in self._marked()]

    def close(self) -> None:
        """End the process and everything that it started, and remove the files; twice does no harm."""
        if self._process is not None:
            self.stop()
            _kill(self._marked())
            self._kept = self._texts()
        self._folder.cleanup()

    def describe(self) -> str:
        """What was run, how it ended, and the tail of what it wrote."""
        state = "not started" if self._process is None else f"pid={self.pid} exit_code={self.exit_code}"
        stdout, stderr = self._texts()
        return "\n".join(
            [
                f"command: {' '.join(self.argv)}  ({state})",
                "--- stdout",
                *stdout.splitlines()[-TAIL_LINES:],
                "--- stderr",
                *stderr.splitlines()[-TAIL_LINES:],
            ]
        )

    def _started(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "start the Command first"
        return self._process

    def _texts(self) -> tuple[str, str]:
        if self._kept is not None:
            return self._kept
        if self._process is None:
            return "", ""
        folder = Path(self._folder.name)
        stdout, stderr = (
            (folder / name).read_bytes().decode("utf-8", errors="replace") for name in ("stdout", "stderr")
        )
        return stdout, stderr

    def _marked(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if _mark_of(process) == self._mark]


def end_process(process: subprocess.Popen[bytes], *, deadline_s: float = STOP_DEADLINE_S) -> int:
    """End a process of our own with SIGTERM, with SIGKILL after `deadline_s`; returns its exit code."""
    process.terminate()
    try:
        return process.wait(deadline_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def children_of(pid: int, *, recursive: bool = False) -> list[int]:
    """Pids of the living children of `pid`; empty when there is no such process."""
    try:
        children = psutil.Process(pid).children(recursive=recursive)
    except psutil.NoSuchProcess:
        return []
    return [child.pid for child in children if is_alive(child.pid)]


def is_alive(pid: int) -> bool:
    """Whether `pid` runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def assert_no_processes(pids: Iterable[int], *, deadline_s: float = 10.0) -> None:
    """Wait until none of `pids` is alive; fails with the command lines of those that are."""
    watched = list(pids)
    wait_until(
        lambda: not any(map(is_alive, watched)),
        deadline_s=deadline_s,
        describe=lambda: "the end of " + "; ".join(_command_line(pid) for pid in watched if is_alive(pid)),
    )


def _merged(changes: Mapping[str, str | None]) -> dict[str, str]:
    merged: dict[str, str | None] = {**os.environ, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def _mark_of(process: psutil.Process) -> str | None:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process.environ().get(MARK)
    except (psutil.Error, OSError):  # it ended meanwhile, or belongs to another account
        return None


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        try:
            process.kill()  # psutil compares the start time first: a reused pid is left alone
        except psutil.NoSuchProcess:
            continue
    assert_no_processes([process.pid for process in processes])


def _command_line(pid: int) -> str:
    try:
        return f"{pid} {' '.join(psutil.Process(pid).cmdline())}"
    except psutil.Error:
        return f"{pid} (ended)"
