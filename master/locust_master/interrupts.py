"""Ctrl-C and SIGTERM: the first asks for an orderly end, the second ends at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from locust_protocol.process.exit_codes import ExitCode

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interrupts(end_at_once: Callable[[], None]) -> Iterator[asyncio.Event]:
    """Yields an event that the first signal sets; a second one calls `end_at_once` and exits 130."""
    asked = asyncio.Event()

    def take() -> None:
        if asked.is_set():
            end_at_once()
            os._exit(ExitCode.INTERRUPTED_TWICE)
        asked.set()

    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, take)
    try:
        yield asked
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
