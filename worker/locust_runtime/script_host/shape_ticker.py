"""Asks a load shape once a second what it wants, and tells when that has changed.

A tick that takes its time delays the next ones of its own shape and nothing else; the seconds it missed are
passed over. A tick that raises is told once for as long as it raises the same, and the last goal stays.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from time import monotonic
from typing import Any

import gevent
from gevent import Greenlet, GreenletExit

from locust_protocol.limits import MAX_ERROR_TEXT_CHARS
from locust_protocol.runner.v1.link_pb2 import ShapeTick
from locust_runtime.loader import LocustfileError, reporting_errors
from locust_runtime.run.failure_texts import shortened
from locust_runtime.shape import LoadTestShape

logger = logging.getLogger(__name__)

TICK_INTERVAL_S = 1.0
"""Seconds between two ticks: as Locust's users know it."""


class ShapeTicker:
    """Ticks one shape at a time."""

    def __init__(self, send: Callable[[ShapeTick], object], *, file: str) -> None:
        """`file` is the locustfile, for what goes wrong."""
        self._send = send
        self._file = file
        self._greenlet: Greenlet[..., Any] | None = None

    def start(self, shape: LoadTestShape, *, elapsed_s: float = 0.0) -> None:
        """Tick this shape from now on, at once for the first time; its run began `elapsed_s` ago."""
        self.stop()
        shape.reset_time()
        shape.start_time -= elapsed_s
        self._greenlet = gevent.spawn(self._tick_for_ever, shape)

    def stop(self) -> None:
        """Tick no more."""
        greenlet, self._greenlet = self._greenlet, None
        # A tick may have called what led here: it must not end itself half-way.
        if greenlet is not None and greenlet is not gevent.getcurrent():
            greenlet.kill(block=False)

    def _tick_for_ever(self, shape: LoadTestShape) -> None:
        last = ShapeTick()
        due_s = monotonic()
        while True:
            wanted = self._ask(shape)
            if wanted != last:
                if wanted.error:
                    logger.error("the load shape raised: %s", wanted.error)
                self._send(wanted)
                last = wanted
            if wanted.stop:
                return
            due_s += TICK_INTERVAL_S * max(1, math.ceil((monotonic() - due_s) / TICK_INTERVAL_S))
            gevent.sleep(max(0.0, due_s - monotonic()))

    def _ask(self, shape: LoadTestShape) -> ShapeTick:
        try:
            with reporting_errors(self._file):
                return wanted_by(shape.tick())
        except LocustfileError as error:
            if isinstance(error.__cause__, GreenletExit):  # not the tick's doing: `stop` ends it
                raise error.__cause__ from None
            return ShapeTick(error=shortened(str(error), MAX_ERROR_TEXT_CHARS))


def wanted_by(tick: Any) -> ShapeTick:
    """What `tick()` returned, as a message. Raises ValueError for what is none of the forms of a tick."""
    if tick is None:
        return ShapeTick(stop=True)
    if not isinstance(tick, tuple | list) or len(tick) not in (2, 3):
        raise ValueError(
            f"tick() has to return (users, spawn rate), with classes or not, or None, not {tick!r}"
        )
    users, spawn_rate = float(tick[0]), float(tick[1])
    if not (math.isfinite(users) and users >= 0):
        raise ValueError(f"tick() wants {tick[0]!r} users")
    if not (math.isfinite(spawn_rate) and spawn_rate > 0):
        raise ValueError(f"tick() wants a spawn rate of {tick[1]!r}; it has to be above 0")
    classes = tick[2] if len(tick) == 3 else None
    return ShapeTick(
        users=round(users),
        spawn_rate=spawn_rate,
        user_classes=[each.__name__ for each in classes or ()],
    )
