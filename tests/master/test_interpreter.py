"""The collector runs when the master says, and other threads do not keep its loop waiting."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import gc, sys, weakref
from locust_master.interpreter import SWITCH_INTERVAL_S, collect_all, tune_interpreter

class Ring:
    def __init__(self):
        self.me = self

fulls = []
gc.callbacks.append(lambda phase, info: fulls.append(phase) if info["generation"] == 2 else None)
tune_interpreter()
assert abs(sys.getswitchinterval() - SWITCH_INTERVAL_S) < 1e-6
assert gc.isenabled() and gc.get_freeze_count() > 1_000
fulls.clear()
kept = [Ring() for _ in range(200_000)]
assert not fulls, "nobody asked for a full collection"
gone = weakref.ref(kept[0])
collect_all()
kept.clear()
assert gone() is not None, "what was looked at once waits for the next start of a run"
collect_all()
assert gone() is None
"""


def test_full_collections_come_when_they_are_asked_for() -> None:
    """One that comes by itself takes 120 ms of the loop with 1,000 workers."""
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, timeout=60)
