"""The demo target as a process, whose count of what it received is the truth in end-to-end tests."""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.processes import Command

DEMO_TARGET = Path(__file__).parents[2] / "examples" / "demo_target.py"

START_DEADLINE_S = 20.0
"""Importing aiohttp takes half a second on an idle machine and several on a crowded one."""


class Target:
    """A demo target on a free port of the loopback, without simulated latency unless asked for.

    `with Target() as target:` gives `target.url` to send load at and `target.counts()` to compare with.
    """

    def __init__(self, *, instant: bool = True, options: tuple[str, ...] = ()) -> None:
        mode = ("--instant",) if instant else ()
        self.command = Command([sys.executable, DEMO_TARGET, "--port", "0", *mode, *options])
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
        users: dict[str, int] = json.loads(self._fetch("/_users"))
        return users

    def arrivals(self) -> list[int]:
        """Requests received in each second since the first one."""
        arrivals: list[int] = json.loads(self._fetch("/_arrivals"))
        return arrivals

    def reset(self) -> None:
        """Start counting from nothing."""
        self._fetch("/_reset", method="POST")

    def _counts(self) -> dict[str, int]:
        counts: dict[str, int] = json.loads(self._fetch("/_counts"))
        return counts

    def _fetch(self, path: str, *, method: str = "GET") -> bytes:
        request = urllib.request.Request(self.url + path, method=method)
        # An empty ProxyHandler: the proxies of the environment are not for the loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as response:
            body: bytes = response.read()
        return body
