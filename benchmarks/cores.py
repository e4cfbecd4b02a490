"""Cores kept apart: one for the generator with all its processes, one for the target."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cores:
    """Core numbers as the kernel counts them."""

    generator: int
    target: int


def two_cores() -> Cores | str:
    """The first two cores that we may use, or the reason why there are none to pin to."""
    if sys.platform != "linux":
        return f"processes cannot be pinned to a core on {sys.platform}"
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        return "generator and target need a core each: 1 core here"
    return Cores(generator=allowed[0], target=allowed[1])


@contextmanager
def pinned_to(core: int) -> Iterator[None]:
    """Pin this process to `core` for the block: processes started in it inherit that, and keep it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
