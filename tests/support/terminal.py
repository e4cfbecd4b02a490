"""A real command on a real terminal: a pseudo-terminal of a known size, its screen kept by pyte.

The command leads a session of its own with the pseudo-terminal as its controlling terminal, as under a
shell, and is ended by its own pid whatever happens. A thread drains the terminal, so that no output can
block the command; tests wait for what the screen shows, never for bytes. Must never touch the terminal
that runs the tests.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte

from tests.support.processes import end_process
from tests.support.wait import wait_until

COLUMNS, LINES = 80, 24
"""The smallest terminal that the screens are made for."""

READ_BYTES = 65_536
"""One read: more than a full repaint in colour."""

READ_DEADLINE_S = 20.0
"""Seconds for what was written last to be read."""

ENTER, TAB, ESCAPE, BACKSPACE = "\r", "\t", "\x1b", "\x7f"
ERASE_LEFT = "\x15"
"""Ctrl+U: removes what stands before the cursor of a field."""

END = "\x05"
"""Ctrl+E: moves to the end of a field."""

LAUNCHER = (
    "import fcntl, os, sys, termios\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "os.execv(sys.argv[1], sys.argv[1:])"
)
"""Takes the terminal as its controlling one, then becomes the command: the pid stays the same."""

UNREAD_BY_PYTE = re.compile(rb"\x1b\[[<>=][0-9;]*[a-zA-Z]|\x1b\[\?[0-9;]*\$p")
"""Keyboard protocols and mode queries, which pyte would draw as text."""

UNFINISHED_SEQUENCE = re.compile(rb"\x1b(\[[0-9;?<>=$]*)?\Z")
"""What a read may cut in two at its end."""


class Terminal:
    """A command on a terminal, from `with Terminal(argv) as terminal:` to the end of the block.

    `environment` is added to this process's; a value of None removes a variable. When the block fails,
    the exception carries the screen as a note.
    """

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        columns: int = COLUMNS,
        lines: int = LINES,
        environment: Mapping[str, str | None] | None = None,
    ) -> None:
        self.argv = [str(argument) for argument in argv]
        self._environment = _terminal_environment(environment or {})
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self._written = b""
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = -1
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._leader, follower = pty.openpty()
        try:
            size = struct.pack("HHHH", self._screen.lines, self._screen.columns, 0, 0)
            fcntl.ioctl(follower, termios.TIOCSWINSZ, size)
            self._process = subprocess.Popen(
                [sys.executable, "-c", LAUNCHER, *self.argv],
                env=self._environment,
                stdin=follower,
                stdout=follower,
                stderr=follower,
                start_new_session=True,
            )
        except BaseException:
            os.close(self._leader)
            raise
        finally:
            os.close(follower)
        self._reader = threading.Thread(target=self._drain, name=f"terminal of {self.pid}", daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            error.add_note(self.describe())
        reader = self._reader
        end_process(self._started())
        assert reader is not None
        reader.join(READ_DEADLINE_S)
        os.close(self._leader)

    @property
    def pid(self) -> int:
        return self._started().pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal's number when one ended it."""
        return self._started().poll()

    def text(self) -> str:
        """What the screen shows now, a line per row, without what is blank at the right."""
        with self._lock:
            return "\n".join(row.rstrip() for row in self._screen.display)

    def written(self) -> bytes:
        """All that was written to the terminal so far."""
        with self._lock:
            return self._written

    def type(self, *keys: str) -> None:
        """Types texts and keys, each written by itself, as from a keyboard."""
        for key in keys:
            os.write(self._leader, key.encode())

    def wait_for_text(self, pattern: str, *, deadline_s: float) -> re.Match[str]:
        """Wait until `pattern` is found on the screen; fail at once if the command ends without it."""

        def found_or_ended() -> re.Match[str] | str:
            ended = self._is_drained()  # before the look: the last text may come with the end
            return re.search(pattern, self.text(), re.MULTILINE) or ("ended" if ended else "")

        found = wait_until(
            found_or_ended, deadline_s=deadline_s, describe=lambda: f"{pattern!r} on\n{self.describe()}"
        )
        if isinstance(found, str):
            raise AssertionError(f"ended without {pattern!r} on\n{self.describe()}")
        return found

    def wait_for_no_text(self, pattern: str, *, deadline_s: float) -> None:
        """Wait until `pattern` is nowhere on the screen."""
        wait_until(
            lambda: not re.search(pattern, self.text(), re.MULTILINE),
            deadline_s=deadline_s,
            describe=lambda: f"no {pattern!r} on\n{self.describe()}",
        )

    def wait_for_exit(self, *, deadline_s: float) -> int:
        """Wait until the command has ended by itself and all it wrote was read; returns its exit code."""
        wait_until(self._is_drained, deadline_s=deadline_s, describe=lambda: f"the end of\n{self.describe()}")
        return self._started().wait()

    def is_mode_set(self, mode: int) -> bool:
        """Whether the private mode, such as 1049 for the alternate screen, was left switched on."""
        switches: list[bytes] = re.findall(rb"\x1b\[\?%d([hl])" % mode, self.written())
        return bool(switches) and switches[-1] == b"h"

    def is_echoing(self) -> bool:
        """Whether the terminal shows what is typed and hands it on by line, as a shell expects."""
        flags = termios.tcgetattr(self._leader)[3]
        return bool(flags & termios.ECHO) and bool(flags & termios.ICANON)

    def describe(self) -> str:
        """What was run, how it stands, and the screen."""
        return f"command: {' '.join(self.argv)}  (exit_code={self.exit_code})\n{self.text()}"

    def _started(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "a Terminal is used in a with block"
        return self._process

    def _is_drained(self) -> bool:
        return self.exit_code is not None and self._reader is not None and not self._reader.is_alive()

    def _drain(self) -> None:
        rest = b""
        with contextlib.suppress(OSError):  # EIO: the last process on the terminal has ended
            while chunk := os.read(self._leader, READ_BYTES):
                whole = rest + chunk
                cut = UNFINISHED_SEQUENCE.search(whole)
                rest = whole[cut.start() :] if cut else b""
                with self._lock:
                    self._written += chunk
                    self._stream.feed(UNREAD_BY_PYTE.sub(b"", whole[: len(whole) - len(rest)]))


def _terminal_environment(changes: Mapping[str, str | None]) -> dict[str, str]:
    """COLUMNS and LINES would win over the size of the terminal."""
    wished: dict[str, str | None] = {
        **os.environ,
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "COLUMNS": None,
        "LINES": None,
        **changes,
    }
    return {name: value for name, value in wished.items() if value is not None}
