"""States of a run, as a table.

READY → SPAWNING → RUNNING → STOPPING → STOPPED, and STOPPED → SPAWNING for the next run. An edit sends a
RUNNING run back to SPAWNING until the new goal is reached. Pure: what follows from a transition is decided
by whoever asked for it.
"""

from __future__ import annotations

import enum
from collections import deque


class RunState(enum.Enum):
    """State of a run, in the words of screens and reports."""

    READY = "ready"
    SPAWNING = "spawning"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"


class RunTrigger(enum.Enum):
    """What moves a run from one state to another."""

    START = "start"
    GOAL_REACHED = "goal reached"
    GOAL_MOVED = "goal moved"
    STOP = "stop"
    DRAINED = "drained"


TRANSITIONS: dict[tuple[RunState, RunTrigger], RunState] = {
    (RunState.READY, RunTrigger.START): RunState.SPAWNING,
    (RunState.STOPPED, RunTrigger.START): RunState.SPAWNING,
    (RunState.SPAWNING, RunTrigger.GOAL_REACHED): RunState.RUNNING,
    (RunState.SPAWNING, RunTrigger.GOAL_MOVED): RunState.SPAWNING,
    (RunState.RUNNING, RunTrigger.GOAL_MOVED): RunState.SPAWNING,
    (RunState.SPAWNING, RunTrigger.STOP): RunState.STOPPING,
    (RunState.RUNNING, RunTrigger.STOP): RunState.STOPPING,
    (RunState.STOPPING, RunTrigger.DRAINED): RunState.STOPPED,
}

ACTIVE_STATES = frozenset({RunState.SPAWNING, RunState.RUNNING})
"""States in which users are wanted."""

KEPT_TRIGGERS = 20
"""Triggers that an `InvalidTransition` shows."""


class InvalidTransition(Exception):
    """A trigger came in a state that has no transition for it: a fault of the program."""


class Lifecycle:
    """Holds the state of the present run and changes it only along `TRANSITIONS`."""

    def __init__(self, state: RunState = RunState.READY) -> None:
        self.state = state
        self._past: deque[str] = deque(maxlen=KEPT_TRIGGERS)

    def may(self, trigger: RunTrigger) -> bool:
        """True when `trigger` has a transition from the present state."""
        return (self.state, trigger) in TRANSITIONS

    def apply(self, trigger: RunTrigger) -> RunState:
        """Moves along the table and returns the new state; raises `InvalidTransition` where there is none."""
        self._past.append(f"{self.state.value}+{trigger.value}")
        if not self.may(trigger):
            raise InvalidTransition(f"no transition; last triggers: {', '.join(self._past)}")
        self.state = TRANSITIONS[self.state, trigger]
        return self.state

    @property
    def is_active(self) -> bool:
        """True while users are wanted."""
        return self.state in ACTIVE_STATES
