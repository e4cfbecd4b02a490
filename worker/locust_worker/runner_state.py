"""The life of one runner as data: is it loading, ready, stuck or dead, and is it to be started again.

    event     \\ state   STARTING   READY     STALLED   DEAD
    LOADED               READY     READY     READY     -
    SILENT               STARTING  STALLED   STALLED   -
    ANSWERED             STARTING  READY     READY     -
    EXITED               DEAD      DEAD      DEAD      -
    STARTED              -         -         -         STARTING

A runner that loads its locustfile may be silent for as long as that takes. A crash is answered by a new
start; three within a minute are no accident: then it stays dead and others take its share.

Pure: `now_s` is any monotonic clock in seconds.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from locust_protocol.limits import RUNNER_STALLED_AFTER_S

RESTART_DELAY_S = 0.25
"""Seconds between a crash and the new start: long enough for ports and files to be let go."""

MAX_CRASHES = 3
"""Crashes within `CRASH_WINDOW_S` after which a runner is left dead."""

CRASH_WINDOW_S = 60.0
"""Seconds for which a crash counts."""


class RunnerPhase(enum.Enum):
    """State of a runner process; the schema's `RunnerState`."""

    STARTING = "starting"
    READY = "ready"
    STALLED = "stalled"
    DEAD = "dead"


class RunnerEvent(enum.Enum):
    """What happens to a runner process."""

    STARTED = "started"
    LOADED = "loaded"
    SILENT = "silent"
    ANSWERED = "answered"
    EXITED = "exited"


class InvalidTransition(Exception):
    """An event that cannot happen in a state: a bug of the caller."""


_TRANSITIONS = {
    (RunnerPhase.STARTING, RunnerEvent.LOADED): RunnerPhase.READY,
    (RunnerPhase.STARTING, RunnerEvent.SILENT): RunnerPhase.STARTING,
    (RunnerPhase.STARTING, RunnerEvent.ANSWERED): RunnerPhase.STARTING,
    (RunnerPhase.STARTING, RunnerEvent.EXITED): RunnerPhase.DEAD,
    (RunnerPhase.READY, RunnerEvent.LOADED): RunnerPhase.READY,
    (RunnerPhase.READY, RunnerEvent.SILENT): RunnerPhase.STALLED,
    (RunnerPhase.READY, RunnerEvent.ANSWERED): RunnerPhase.READY,
    (RunnerPhase.READY, RunnerEvent.EXITED): RunnerPhase.DEAD,
    (RunnerPhase.STALLED, RunnerEvent.LOADED): RunnerPhase.READY,
    (RunnerPhase.STALLED, RunnerEvent.SILENT): RunnerPhase.STALLED,
    (RunnerPhase.STALLED, RunnerEvent.ANSWERED): RunnerPhase.READY,
    (RunnerPhase.STALLED, RunnerEvent.EXITED): RunnerPhase.DEAD,
    (RunnerPhase.DEAD, RunnerEvent.STARTED): RunnerPhase.STARTING,
}


@dataclass(slots=True)
class RunnerLife:
    """One slot's runner: its state, when it was heard of, and its crashes."""

    phase: RunnerPhase = RunnerPhase.DEAD
    heard_s: float = 0.0
    blocked_at: str = ""
    stalled_s: float = 0.0
    """When it was found stuck last."""
    restart_at_s: float | None = None
    """When to start it again; None: it is not to be."""
    restarts: int = 0
    crashes_s: list[float] = field(default_factory=list)
    recent: list[tuple[RunnerPhase, RunnerEvent]] = field(default_factory=list)

    @property
    def is_alive(self) -> bool:
        """True unless the process has ended."""
        return self.phase is not RunnerPhase.DEAD

    @property
    def is_given_up(self) -> bool:
        """True when it is dead and will not be started again by itself."""
        return self.phase is RunnerPhase.DEAD and self.restart_at_s is None

    def started(self, now_s: float) -> None:
        """The process was started."""
        self._move(RunnerEvent.STARTED)
        self.heard_s, self.restart_at_s, self.blocked_at = now_s, None, ""

    def loaded(self, now_s: float) -> None:
        """It has loaded its locustfile."""
        self._move(RunnerEvent.LOADED)
        self.heard_s = now_s

    def ponged(self, now_s: float, *, blocked_us: int, blocked_at: str) -> bool:
        """It answered a ping; returns True when it has just recovered, or just been found stuck."""
        self.heard_s = now_s
        is_stuck = blocked_us >= RUNNER_STALLED_AFTER_S * 1e6
        before = self.phase
        self._move(RunnerEvent.SILENT if is_stuck else RunnerEvent.ANSWERED)
        self.blocked_at = blocked_at if self.phase is RunnerPhase.STALLED else ""
        if self.phase is not before:
            self.stalled_s = now_s
        return self.phase is not before

    def time_passed(self, now_s: float) -> bool:
        """Returns True when it has just become STALLED by silence."""
        if self.phase is not RunnerPhase.READY or now_s - self.heard_s < RUNNER_STALLED_AFTER_S:
            return False
        self._move(RunnerEvent.SILENT)
        self.stalled_s = now_s
        return True

    def excuse(self, now_s: float, *, unheard_s: float, grace_s: float) -> None:
        """Nobody listened for so long: its answers wait to be read, silence is judged after the grace."""
        self.heard_s = max(self.heard_s, now_s + grace_s - RUNNER_STALLED_AFTER_S)
        self.stalled_s += unheard_s

    def stalled_for_s(self, now_s: float) -> float:
        """Returns for how long it has been STALLED; 0 when it is not."""
        return now_s - self.stalled_s if self.phase is RunnerPhase.STALLED else 0.0

    def exited(self, now_s: float, *, may_restart: bool) -> None:
        """The process has ended unasked; `may_restart` is False when a new one would fail in the same way."""
        self._move(RunnerEvent.EXITED)
        self.blocked_at = ""
        self.crashes_s = [at_s for at_s in self.crashes_s if now_s - at_s < CRASH_WINDOW_S] + [now_s]
        if may_restart and len(self.crashes_s) < MAX_CRASHES:
            self.restart_at_s = now_s + RESTART_DELAY_S
            self.restarts += 1
        else:
            self.restart_at_s = None

    def forgive(self) -> None:
        """New code or a new run: earlier crashes say nothing about it."""
        self.crashes_s.clear()
        self.restarts = 0

    def _move(self, event: RunnerEvent) -> None:
        self.recent = [*self.recent[-9:], (self.phase, event)]
        try:
            self.phase = _TRANSITIONS[self.phase, event]
        except KeyError:
            raise InvalidTransition(f"runner: {self.recent}") from None
