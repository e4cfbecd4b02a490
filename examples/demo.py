"""`make run`: a demo target, a master, one worker with 2 runners, and the TUI on them.

Without a terminal the same runs headless for 20 seconds and prints the statistics. Everything that is started
here ends here.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
START_DEADLINE_S = 20.0
STOP_DEADLINE_S = 15.0


def main() -> int:
    """Runs the demo and returns the exit code of what the user saw."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="locust-demo-")))
        url = _start_target(stack, folder)
        port = _free_port()
        common = ["-f", str(HERE / "locustfile.py"), "--host", url, "--run-dir", str(folder / "runs")]
        master = [
            str(BIN / "locust-master"),
            *("--bind-host", "127.0.0.1", "--bind-port", str(port)),
            *common,
        ]
        worker = [
            str(BIN / "locust-worker"),
            *("--master-host", "127.0.0.1", "--master-port", str(port), "--processes", "2"),
        ]
        if sys.stdin.isatty() and sys.stdout.isatty():
            return _with_screen(stack, folder, master, worker, port)
        return _headless(stack, master, worker)


def _with_screen(stack: ExitStack, folder: Path, master: list[str], worker: list[str], port: int) -> int:
    _start(stack, master, log=folder / "master.log")
    _start(stack, worker, log=folder / "worker.log")
    code = subprocess.call(
        [str(BIN / "locust-tui"), "--master-host", "127.0.0.1", "--master-port", str(port)]
    )
    print("Ending the demo: master, worker and target.")
    return code


def _headless(stack: ExitStack, master: list[str], worker: list[str]) -> int:
    _start(stack, worker, log=None)
    options = ["--headless", "-u", "20", "-r", "5", "-t", "20s", "--exit-code-on-error", "0"]
    return _start(stack, [*master, *options], log=None).wait()


def _start_target(stack: ExitStack, folder: Path) -> str:
    port_file = folder / "port"
    _start(
        stack,
        [sys.executable, str(HERE / "demo_target.py"), "--port", "0", "--port-file", str(port_file)],
        log=folder / "target.log",
    )
    deadline = time.monotonic() + START_DEADLINE_S
    while not (port_file.exists() and port_file.read_text().strip()):
        if time.monotonic() > deadline:
            raise SystemExit(f"the demo target did not start:\n{(folder / 'target.log').read_text()}")
        time.sleep(0.05)
    return f"http://127.0.0.1:{port_file.read_text().strip()}"


def _start(stack: ExitStack, argv: Sequence[str], *, log: Path | None) -> subprocess.Popen[bytes]:
    """Starts a process in a group of its own that ends with the demo; `log` None shows what it prints."""
    output = stack.enter_context(log.open("wb")) if log else None
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=log is not None
    )
    stack.callback(_stop, process)
    return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    os.chdir(HERE.parent)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
