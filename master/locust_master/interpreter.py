"""Sets the process up for a loop that must not wait, neither for other threads nor for the collector.

1,000 workers are some 100,000 objects that stay. A full collection looks at all of them and takes 120 ms, in
which nothing is read; left to itself Python makes one every ten seconds, and hardly ever finds anything. So
full collections come at moments of our own: at the start of a run, when nothing is measured yet, and now and
then for what came since, which is little.

1,000 connections make and free blocks of many sizes in many threads; by default glibc gives each thread a
heap of its own and hardly anything back, which is 70 MB of holes.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import sys
import threading
from contextlib import suppress

SWITCH_INTERVAL_S = 0.001
"""Seconds for which another thread may keep the loop waiting; Python's 5 ms add up while the store folds."""

YOUNG_OBJECTS, YOUNG_COLLECTIONS = 20_000, 20
"""New objects until they are looked at, and how often that is until those that stayed are looked at again."""

NEVER = 1_000_000_000
"""Younger collections until a full one that nobody asked for."""

COLLECT_EVERY_S = 600.0
"""Seconds between two collections of what came since the last start of a run."""


NICENESS = 10
"""Of threads that the loop must not wait for: of two that want the same core, the loop gets most of it."""

MAX_HEAPS = 2
"""Heaps for all threads together."""

BIG_BLOCK_BYTES = 1 << 20
"""Blocks from this size on are given back when they are freed; gRPC reads into blocks of it."""

MAX_FREE_BYTES = 8 << 20
"""Free bytes at the end of the heap above which they are given back."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Parameters of glibc's mallopt(3)."""


def tune_interpreter() -> None:
    """Sets thread switches, the collector and, where that can be, the heap; once, when the master starts."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    _tune_heap()
    gc.set_threshold(YOUNG_OBJECTS, YOUNG_COLLECTIONS, NEVER)
    collect_all()


def collect_all() -> None:
    """Collects garbage among everything; what is left is not looked at again until the next call.

    Does nothing where the collector was not tuned: it is not ours there.
    """
    if gc.get_threshold()[2] != NEVER:
        return
    gc.unfreeze()
    gc.collect()
    gc.freeze()


async def collect_now_and_then() -> None:
    """Collects what came since, for as long as the master lives: workers come and go in a long run."""
    while True:
        await asyncio.sleep(COLLECT_EVERY_S)
        gc.collect()


def _tune_heap() -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc has it, others do not
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, MAX_HEAPS)
        mallopt(_M_MMAP_THRESHOLD, BIG_BLOCK_BYTES)
        mallopt(_M_TRIM_THRESHOLD, MAX_FREE_BYTES)


def step_back() -> None:
    """Lets the calling thread yield the core to others of this process, where the system knows that."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
