"""A locustfile of this machine (`-f`): finds its files, and learns from a runner what is inside.

The master compares the user classes with its own before it admits the worker, so they must be known before
there is a session: one runner loads the file, tells, and ends.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

from locust_protocol.process.errors import UsageError
from locust_protocol.process.runner_process import RunnerProcess
from locust_protocol.runner.v1 import link_pb2
from locust_protocol.v1 import manifest_pb2
from locust_worker.pool import Code

FROM_MASTER = "-"
"""What Locust's users write for "the master sends it"; the same as no `-f`."""

LOAD_TIMEOUT_S = 60.0
"""Seconds that loading a locustfile may take."""


def find_code(names: Sequence[str]) -> Code | None:
    """Returns the locustfiles of `-f`: files, folders, modules; None when the master is to send its own.

    Raises `UsageError` when there is no such file.
    """
    wanted = [name for text in names for name in text.split(",") if name]
    if not wanted or wanted == [FROM_MASTER]:
        return None
    paths = [path for name in wanted for path in _resolve(name)]
    root = Path(os.path.commonpath([path.parent for path in paths]))
    return Code(b"", str(root), tuple(path.relative_to(root).as_posix() for path in paths))


async def read_manifest(code: Code) -> manifest_pb2.Manifest:
    """Loads a locustfile once and returns what it offers. Raises `UsageError` with file and line."""
    process = await RunnerProcess.start()
    try:
        process.send(
            link_pb2.ToRunner(
                load=link_pb2.Load(
                    role=link_pb2.RUNNER_ROLE_WORKER,
                    directory=code.directory,
                    locustfiles=code.locustfiles,
                )
            )
        )
        async with asyncio.timeout(LOAD_TIMEOUT_S):
            async for frame in process.frames():
                if frame.WhichOneof("frame") == "loaded":
                    return frame.loaded.manifest
                if frame.WhichOneof("frame") == "load_failed":
                    raise UsageError(describe_load_failure(frame.load_failed))
        raise UsageError("the locustfile ended the process that loaded it", remedy="see its output")
    except TimeoutError:
        raise UsageError(
            f"the locustfile was not loaded within {LOAD_TIMEOUT_S:.0f} s",
            remedy="look for code that waits for ever at import",
        ) from None
    finally:
        await process.stop()


def describe_load_failure(failed: link_pb2.LoadFailed) -> str:
    """Returns "file:line: message" for a locustfile that could not be loaded."""
    place = f"{Path(failed.file).name}:{failed.line}" if failed.line else failed.file
    return f"{place}: {failed.message}" if place else failed.message


def _resolve(name: str) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        found = sorted(
            each.resolve()
            for each in path.rglob("*.py")
            if not any(part.startswith(("_", ".")) for part in each.relative_to(path).parts)
        )
        if not found:
            raise UsageError(f"no locustfile in the folder {name}", remedy="give a file with -f")
        return found
    if path.is_file():
        return [path.resolve()]
    if path.with_suffix(".py").is_file():
        return [path.with_suffix(".py").resolve()]
    try:
        spec = importlib.util.find_spec(name) if all(map(str.isidentifier, name.split("."))) else None
    except ImportError:
        spec = None
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        raise UsageError(
            f"no locustfile {name}", remedy="give a file, a folder or a module with -f, or leave -f out"
        )
    return [Path(spec.origin).resolve()]
