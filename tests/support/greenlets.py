"""Waiting for a condition while greenlets run: `support.wait` for gevent. Must never sleep a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent

POLL_S = 0.002
"""Time between two looks."""


def wait_for(
    condition: Callable[[], object], *, deadline_s: float = 20.0, state: Callable[[], object] = str
) -> None:
    """Lets greenlets run until `condition` holds; after the deadline fails with `state()`."""
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {deadline_s:g} s; last seen: {state()}"
        gevent.sleep(POLL_S)
