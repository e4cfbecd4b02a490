"""What time brings to a run: its goal reached, its run time over, its last reports here. Pure."""

from __future__ import annotations

import enum
from collections.abc import Sequence

from locust_master.lifecycle import RunState
from locust_master.losses import WorkerLossPolicy, lost_workers
from locust_master.membership import Member
from locust_master.run import Run

FINAL_GRACE_S = 15.0
"""Seconds after the stop timeout for the last reports; then the run ends without them and says so."""


NO_WORKER_LIMIT_S = 60.0
"""Seconds without any worker after which a run that nobody watches ends: nobody will start one."""


class Happening(enum.Enum):
    """What a tick found; the conductor acts on it."""

    GOAL_REACHED = "goal reached"
    DEADLINE = "deadline"
    DRAINED = "drained"
    LOST_TOO_MUCH = "lost too much"
    ABANDONED = "abandoned"


def happening_of(run: Run, live: Sequence[Member], *, generation: int, at_us: int) -> Happening | None:
    """Returns what has happened to `run` by the run time `at_us`; `live` are the members with a share."""
    if run.lifecycle.is_active and run.deadline_us is not None and at_us >= run.deadline_us:
        return Happening.DEADLINE
    if run.lifecycle.is_active and (loss := _loss_that_ends(run, at_us=at_us)) is not None:
        return loss
    if run.lifecycle.state is RunState.SPAWNING and live and not _awaits_shape(run):
        is_reached = run.is_goal_reached(live, generation=generation, at_us=at_us)
        return Happening.GOAL_REACHED if is_reached else None
    if run.lifecycle.state is RunState.STOPPING:
        is_drained = not owing(run, live) or at_us >= patience_end_us(run)
        return Happening.DRAINED if is_drained else None
    return None


def _loss_that_ends(run: Run, *, at_us: int) -> Happening | None:
    terms = run.loss_terms
    if terms.policy is WorkerLossPolicy.FAIL and len(lost_workers(run.losses)) > terms.allow_lost:
        return Happening.LOST_TOO_MUCH
    since_ms = run.without_workers_since_ms
    if since_ms is not None and at_us / 1e6 - since_ms / 1e3 >= NO_WORKER_LIMIT_S:
        return Happening.ABANDONED
    return None


def owing(run: Run, live: Sequence[Member]) -> list[Member]:
    """Members whose last report of the run is not in the store."""
    return [member for member in live if not run.ledger.is_final(member.uid)]


def patience_end_us(run: Run) -> float:
    """Run time in microseconds until which last reports are waited for."""
    assert run.stop_requested_us is not None, "a run that stops was asked to"
    return run.stop_requested_us + run.stop_timeout_ms * 1_000 + FINAL_GRACE_S * 1e6


def _awaits_shape(run: Run) -> bool:
    """True before a load shape wanted any user: nothing was asked for, so nothing is reached."""
    return bool(run.record.load_shape) and run.goal.users == 0
