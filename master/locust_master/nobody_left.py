"""Tells when a run goes on and nobody runs in it, since all users ended by themselves. Pure.

Locust has it so that a user that ended counts as placed: a login that fails for everybody leaves a run that
looks quiet. It is said once, and again when users ran meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from locust_master.lifecycle import RunState
from locust_master.membership import Member
from locust_master.outputs.console import raised_at
from locust_master.run import Run

FIRST_USERS = 5
"""Users of a ramp that must have failed, and nobody running, before it is said that none gets through."""

IN_ON_START = ", in on_start\n"
"""What the traceback of an exception has that ended its user."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What is to be said, and at which level of Python's logging."""

    level: int
    text: str


class NobodyLeft:
    """Looks at what the members of the present run say of their users."""

    def __init__(self) -> None:
        self._run: Run | None = None
        self._is_said = False

    def look(self, run: Run | None, live: Sequence[Member]) -> Notice | None:
        """Returns what is to be said now, None for nothing."""
        if run is not self._run:
            self._run, self._is_said = run, False
        if run is None or not run.lifecycle.is_active:
            return None
        if any(running for member in live for _, running in member.users):
            self._is_said = False
            return None
        if self._is_said:
            return None
        ended = sum(member.placed_users for member in live)
        is_ramp = run.lifecycle.state is RunState.SPAWNING
        if not ended or (is_ramp and ended < FIRST_USERS):
            return None
        last = _last_of_on_start(run)
        if not last and is_ramp:
            return None  # short lives, perhaps: more users come
        self._is_said = True
        who = f"all {ended} so far" if is_ramp else f"all {ended}"
        if not last:
            return Notice(logging.INFO, f"no user is left: {who} ended by themselves, and the run goes on")
        return Notice(logging.WARNING, f"no user is left: {who} ended in on_start, the last with {last}")


def _last_of_on_start(run: Run) -> str:
    """The newest exception of an `on_start`, and where it was raised; empty without one."""
    found = [row for row in run.totals.exceptions if row.count and IN_ON_START in row.kind.traceback]
    if not found:
        return ""
    newest = max(found, key=lambda row: row.last_ms or 0).kind
    return f"{newest.message!r} ({raised_at(newest.traceback).rstrip(', ')})"
