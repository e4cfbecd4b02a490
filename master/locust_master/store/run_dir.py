"""The folder of the run store: one file a run, one master at a time.

The lock is a file that the master holds for its life; the kernel lets go of it however the master ends. In it
stand the process and a token, by which a file that says "running" is told from one whose master died.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from locust_master.store.schema import SUFFIX
from locust_protocol.process.errors import OperatorError, UsageError

LOCK_NAME = "lock"
TOKEN_BYTES = 8


class RunDirInUse(OperatorError):
    """Another master writes its runs there."""


@contextmanager
def lock_run_dir(run_dir: Path) -> Iterator[None]:
    """Makes the folder and holds its lock.

    Raises `RunDirInUse` naming the process that holds it, `UsageError` when the folder cannot be written.
    """
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        handle = os.open(run_dir / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise UsageError(
            f"run directory {run_dir} cannot be written: {error.strerror}", remedy="give another --run-dir"
        ) from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = _fields(os.pread(handle, 200, 0))[0] or "unknown"
            raise RunDirInUse(
                f"run directory {run_dir} is in use by the master with process id {pid}",
                remedy="end that one, or give another --run-dir",
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()} {secrets.token_hex(TOKEN_BYTES)}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def owner_token(run_dir: Path) -> str:
    """Returns the token of the master that locked the folder last, empty when nobody did."""
    try:
        return _fields((run_dir / LOCK_NAME).read_bytes())[1]
    except OSError:
        return ""


def is_run_dir(folder: Path) -> bool:
    """True for a folder that a master keeps, or kept, its runs in."""
    return len(owner_token(folder)) == 2 * TOKEN_BYTES


def is_locked(run_dir: Path) -> bool:
    """True while a master, this one included, holds the folder's lock."""
    try:
        handle = os.open(run_dir / LOCK_NAME, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def file_name(*, started_wall_ms: int, run_id: bytes) -> str:
    """Returns the name of a run's file: names sort by time."""
    started = datetime.fromtimestamp(started_wall_ms / 1_000, tz=UTC)
    return f"{started:%Y%m%dT%H%M%SZ}-{run_id.hex()[:8]}{SUFFIX}"


def run_files(run_dir: Path) -> list[Path]:
    """Returns the files of all runs, newest first."""
    return sorted(run_dir.glob(f"*{SUFFIX}"), reverse=True)


def _fields(content: bytes) -> tuple[str, str]:
    pid, _, token = content.decode(errors="replace").strip().partition(" ")
    return pid, token
