"""What a run came to whose run time was over before its master was started again.

It is not taken up, but it is reported: its totals are in the store, exact as far as they were acknowledged.
What workers counted after that is not, and is said. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from locust_master.lifecycle import Lifecycle, RunState
from locust_master.run import Run
from locust_master.store.facts import StoredRun
from locust_protocol.limits import RUNNER_FLUSH_INTERVAL_S

MAX_NAMED = 3
"""Workers whose names are said; more are counted."""


def end(run: Run) -> Run:
    """Returns a restored run as one that is over, at the end of the last second that was counted."""
    run.stopped_us = max(0, run.totals.newest_end_ms) * 1_000
    run.lifecycle = Lifecycle(RunState.STOPPED)
    return run


def lacking(stored: StoredRun) -> str:
    """Says from when on the master was away, and how much of whose samples may be missing."""
    from_s = (stored.written.ns - stored.progress.start_ns) / 1e9
    end_ms = (stored.progress.deadline_us or 0) // 1_000
    flush_ms = RUNNER_FLUSH_INTERVAL_S * 1_000
    missing: dict[str, int] = {}
    for member in stored.members:
        mark = stored.reports.get(member.uid)
        if member.is_live and not (mark is not None and mark.is_final):
            told_ms = mark.at_ms if mark is not None else 0
            missing[member.name] = max(0, math.ceil(end_ms - told_ms + flush_ms))
    away = f"the master was away from {from_s:.0f} s on, and the run time ended at {end_ms / 1000:.0f} s"
    if not missing:
        return away
    return f"{away}: up to {max(missing.values())} ms of samples of {_each(list(missing))} are missing"


def _each(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    return f"each of {', '.join(names) if len(names) <= MAX_NAMED else f'{len(names)} workers'}"
