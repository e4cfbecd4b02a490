"""Ctrl-C, SIGTERM, a closed terminal: the first asks for an orderly end, the second ends at once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from locust_protocol.process.end_signals import end_signals
from locust_protocol.process.exit_codes import ExitCode


@contextmanager
def interrupts(end_at_once: Callable[[], None]) -> Iterator[asyncio.Event]:
    """Yields an event that the first signal sets; a second one calls `end_at_once` and exits 130."""
    asked = asyncio.Event()

    def take() -> None:
        if asked.is_set():
            end_at_once()
            os._exit(ExitCode.INTERRUPTED_TWICE)
        asked.set()

    loop, signals = asyncio.get_running_loop(), end_signals()
    for number in signals:
        loop.add_signal_handler(number, take)
    try:
        yield asked
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
