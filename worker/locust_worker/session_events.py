"""What can happen to the session with the master: news of the network, of the operator, and of time. Pure.

Each is a fact that is over; what it means is decided in `session.py`. Those with a `session_id` may be about
a session that is over, too.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Started:
    """The agent is ready to join."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """Register was answered; `sent_s` is when it had been sent."""

    session_id: int
    lease_ttl_s: float
    sent_s: float


@dataclass(frozen=True, slots=True)
class AdmittedTooLate:
    """Register was answered when what it had said of this worker's users was true no more."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Register was not answered, or the master has no room now. `reason` is a sentence for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class RefusedForGood:
    """The master will never admit this agent as it is."""

    reason: str


@dataclass(frozen=True, slots=True)
class StreamsEnded:
    """A stream of the session ended; `is_rejection` when the master calls a report invalid."""

    session_id: int
    reason: str
    is_rejection: bool = False
    is_too_large: bool = False
    """The master takes no report of that size."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A report that was sent at `sent_s` is acknowledged."""

    session_id: int
    sent_s: float


@dataclass(frozen=True, slots=True)
class Superseded:
    """Another process took the session over."""

    session_id: int
    by: str


@dataclass(frozen=True, slots=True)
class MasterLeft:
    """The master ends on purpose."""

    session_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class LeaveAsked:
    """The operator asks the agent to end."""


@dataclass(frozen=True, slots=True)
class Drained:
    """While leaving: users have ended, and reports are delivered or cannot be."""


@dataclass(frozen=True, slots=True)
class Suspended:
    """The machine was suspended, and its monotonic clock has not counted `unseen_s` seconds."""

    unseen_s: float


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Comes several times a second."""


SessionEvent = (
    Started
    | Admitted
    | AdmittedTooLate
    | Unreachable
    | RefusedForGood
    | StreamsEnded
    | Acknowledged
    | Superseded
    | MasterLeft
    | LeaveAsked
    | Drained
    | Suspended
    | TimePassed
)
