"""A target as a process, whose count of what it received is the truth in end-to-end tests."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.processes import Command

DEMO_TARGET = Path(__file__).parents[2] / "examples" / "demo_target.py"

START_DEADLINE_S = 60.0
"""Importing aiohttp takes half a second on an idle machine and several on a crowded one."""

FETCH_DEADLINE_S = 30.0
"""Notes of some minutes are megabytes, and the target shares its cores with what it counts."""


class TargetProcess:
    """A program that says on which URL it listens, and tells what it received."""

    def __init__(self, argv: Sequence[str | Path]) -> None:
        self.command = Command(argv)
        self.url = ""

    def __enter__(self) -> Self:
        self.command.start()
        try:
            line = self.command.wait_for_line(r"^listening on (http://\S+)$", deadline_s=START_DEADLINE_S)
        except BaseException:
            self.command.close()
            raise
        self.url = line[1]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.command.__exit__(kind, error, traceback)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def fetch(self, path: str, *, method: str = "GET") -> bytes:
        """The body of the answer to a request that the target does not count."""
        request = urllib.request.Request(self.url + path, method=method)
        # An empty ProxyHandler: the proxies of the environment are not for the loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=FETCH_DEADLINE_S) as response:
            body: bytes = response.read()
        return body


class Target(TargetProcess):
    """A demo target on a free port of the loopback, without simulated latency unless asked for.

    `with Target() as target:` gives `target.url` to send load at and `target.counts()` to compare with.
    """

    def __init__(self, *, instant: bool = True, options: tuple[str, ...] = ()) -> None:
        mode = ("--instant",) if instant else ()
        super().__init__([sys.executable, DEMO_TARGET, "--port", "0", *mode, *options])

    def counts(self) -> dict[str, int]:
        """Requests received by "METHOD path", the path without its query."""
        counts = self._counts()
        del counts["total"]
        return counts

    def total(self) -> int:
        """Requests received in all."""
        return self._counts()["total"]

    def users(self) -> dict[str, int]:
        """Requests received by their `X-User` header."""
        users: dict[str, int] = json.loads(self.fetch("/_users"))
        return users

    def arrivals(self) -> list[int]:
        """Requests received in each second since the first one."""
        arrivals: list[int] = json.loads(self.fetch("/_arrivals"))
        return arrivals

    def reset(self) -> None:
        """Start counting from nothing."""
        self.fetch("/_reset", method="POST")

    def _counts(self) -> dict[str, int]:
        counts: dict[str, int] = json.loads(self.fetch("/_counts"))
        return counts
