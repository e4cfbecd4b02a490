"""The command itself, as a process: without a terminal, as text, and on a pty."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import struct
import sys
import termios
from collections.abc import AsyncIterator
from pathlib import Path

import pyte

from tests.support.ports import free_port
from tests.support.wait import wait_until_async
from tests.tui.builders import manifest, running_snapshot
from tests.tui.fake_master import FakeMaster

COMMAND = str(Path(sys.executable).with_name("locust-tui"))
DEADLINE_S = 60.0
COLUMNS, LINES = 80, 24


def environment(**extra: str) -> dict[str, str]:
    """Ours without settings of a person's shell."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("LOCUST_") or name == "LOCUST_SECURITY_DIR"
    }
    return kept | {"TERM": "xterm-256color"} | extra


async def run(*arguments: str, folder: Path) -> tuple[int, str, str]:
    """Runs the command without a terminal; returns exit code and both outputs."""
    process = await asyncio.create_subprocess_exec(
        COMMAND,
        *arguments,
        cwd=folder,
        env=environment(HOME=str(folder)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        stdout, stderr = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, stdout.decode(), stderr.decode()


class Terminal:
    """The command on a pty of 80x24, read with pyte."""

    def __init__(self, fd: int, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.raw = b""
        self._fd = fd
        self._screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self._screen)

    def read(self) -> None:
        """Takes in what has been written; called by the event loop."""
        with contextlib.suppress(OSError):  # the other end is closed
            data = os.read(self._fd, 65_536)
            self.raw += data
            self._stream.feed(data)

    def press(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def text(self) -> str:
        return "\n".join(self._screen.display)

    async def wait_for(self, text: str) -> None:
        await wait_until_async(
            lambda: text in self.text(), deadline_s=DEADLINE_S, describe=lambda: f"{text}:\n{self.text()}"
        )


@contextlib.asynccontextmanager
async def terminal_on(port: int, folder: Path, **extra: str) -> AsyncIterator[Terminal]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    process = await asyncio.create_subprocess_exec(
        COMMAND,
        "--master-port",
        str(port),
        cwd=folder,
        env=environment(HOME=str(folder), **extra),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    terminal = Terminal(ours, process)
    loop = asyncio.get_running_loop()
    loop.add_reader(ours, terminal.read)
    try:
        yield terminal
    finally:
        loop.remove_reader(ours)
        if process.returncode is None:
            process.kill()
        await process.wait()
        os.close(ours)


async def test_without_a_terminal_one_line_says_so(tmp_path: Path) -> None:
    """A pipe or CI gets exit code 2 and the way out, never a torn screen."""
    code, stdout, stderr = await run(folder=tmp_path)
    assert code == 2
    assert stdout == ""
    assert stderr == "locust-tui: error: locust-tui needs a terminal; use --once for one snapshot as text\n"


async def test_unknown_flag_is_one_line(tmp_path: Path) -> None:
    """It names the flag."""
    code, _, stderr = await run("--no-such-flag", folder=tmp_path)
    assert code == 2
    assert "--no-such-flag" in stderr
    assert stderr.count("\n") == 1


async def test_once_prints_one_snapshot_and_ends(tmp_path: Path) -> None:
    """For scripts and logs."""
    async with FakeMaster(running_snapshot(), manifest()) as master:
        code, stdout, stderr = await run("--once", "--master-port", str(master.port), folder=tmp_path)
    assert (code, stderr) == (0, "")
    assert stdout.startswith(" RUNNING")
    assert "119,972" in stdout
    assert "\x1b" not in stdout


async def test_once_without_a_master_says_where_and_what_to_do(tmp_path: Path) -> None:
    """Exit code 3: what it needs from elsewhere is not there."""
    port = free_port()
    code, stdout, stderr = await run("--once", "--master-port", str(port), folder=tmp_path)
    assert (code, stdout) == (3, "")
    assert f"no master at 127.0.0.1:{port}: connection refused; start one there" in stderr


async def test_screens_come_up_and_leaving_keeps_the_run(tmp_path: Path) -> None:
    """The real command on a pty, from the first paint to the farewell."""
    async with (
        FakeMaster(running_snapshot(), manifest()) as master,
        terminal_on(master.port, tmp_path) as terminal,
    ):
        await terminal.wait_for("connecting to 127.0.0.1")
        await terminal.wait_for("GET /search")
        terminal.press("q")
        await asyncio.wait_for(terminal.process.wait(), DEADLINE_S)
        await terminal.wait_for("left; the run goes on with 120 users")
        await terminal.wait_for(f"back to it: locust-tui --master-host 127.0.0.1 --master-port {master.port}")
        assert terminal.process.returncode == 0
        assert not master.stopped


async def test_ctrl_c_leaves_too(tmp_path: Path) -> None:
    """The key that everybody knows."""
    async with (
        FakeMaster(running_snapshot(), manifest()) as master,
        terminal_on(master.port, tmp_path) as terminal,
    ):
        await terminal.wait_for("GET /search")
        terminal.press("\x03")
        await asyncio.wait_for(terminal.process.wait(), DEADLINE_S)
        assert terminal.process.returncode == 0


async def test_no_color_leaves_no_colour(tmp_path: Path) -> None:
    """States are words, so nothing is lost but the colour."""
    async with (
        FakeMaster(running_snapshot(), manifest()) as master,
        terminal_on(master.port, tmp_path, NO_COLOR="1", COLORTERM="truecolor") as terminal,
    ):
        await terminal.wait_for("GET /search")
        colours = {
            tuple(code.split(b";")[2:5])
            for sequence in terminal.raw.split(b"\x1b[")
            for code in [sequence.split(b"m")[0]]
            if code.startswith((b"38;2;", b"48;2;"))
        }
        assert all(len(set(rgb)) == 1 for rgb in colours), colours
