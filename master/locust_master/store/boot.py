"""Which boot of which machine this is: monotonic clocks of one boot can be compared, others cannot."""

from __future__ import annotations

import time
from pathlib import Path

from locust_master.store.facts import Written

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def now_written() -> Written:
    """Returns this moment by all clocks."""
    return Written(time.time_ns() // 1_000_000, time.monotonic_ns(), boot_id())


def boot_id() -> str:
    """Returns the id of this boot; empty where the system has none, and then no boot equals another."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""
