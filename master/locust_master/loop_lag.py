"""Measures how late the master's own loop wakes: the delay that everything it does has.

It goes to the log, for who looks for a fault; a bench reads it there.
"""

from __future__ import annotations

import asyncio
import logging
import time

logger = logging.getLogger(__name__)

SAMPLE_S = 0.02
"""Seconds between two samples: fifty a second cost half a percent of a core."""

SAMPLES = 500
"""Samples of one line in the log: ten seconds."""


async def log_loop_lag() -> None:
    """Goes on until it is cancelled."""
    while True:
        late_ms = sorted([await _late_ms() for _ in range(SAMPLES)])
        logger.debug(
            "event loop late p50_ms=%.1f p99_ms=%.1f max_ms=%.1f",
            late_ms[SAMPLES // 2],
            late_ms[SAMPLES * 99 // 100],
            late_ms[-1],
        )


async def _late_ms() -> float:
    started_s = time.perf_counter()
    await asyncio.sleep(SAMPLE_S)
    return max(0.0, time.perf_counter() - started_s - SAMPLE_S) * 1_000
