"""Where the agent stands with its master: the phase of its session, its lease, what they allow. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class SessionPhase(enum.Enum):
    """Where the agent stands with its master."""

    JOINING = "joining"
    REGISTERED = "registered"
    LOST = "lost"
    LEAVING = "leaving"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """What the operator chose."""

    stay: bool = False
    reconnect_timeout_s: float = 600.0


@dataclass(frozen=True, slots=True)
class SessionState:
    """The session at one moment."""

    settings: SessionSettings
    phase: SessionPhase = SessionPhase.JOINING
    session_id: int = 0
    lease_ttl_s: float = 0.0
    renewed_s: float = 0.0
    """When the last acknowledged report, or the registration, was sent."""
    resumed_s: float = 0.0
    """When the machine went on after a suspension, on its monotonic clock, which has not counted that."""
    unseen_s: float = 0.0
    """How long that suspension was."""
    is_fenced: bool = False
    lost_s: float = 0.0
    attempts: int = 0
    said_s: float | None = None
    rejections: int = 0
    has_master_left: bool = False


def lease_until_s(state: SessionState) -> float | None:
    """Returns when users have to end unless a report is acknowledged; None before the first lease."""
    return state.renewed_s + state.lease_ttl_s if state.lease_ttl_s > 0 else None


def is_lease_over(state: SessionState, now_s: float) -> bool:
    """True when another worker may have this one's share by now."""
    until_s = lease_until_s(state)
    return until_s is not None and now_s >= until_s


def has_session(state: SessionState) -> bool:
    """True while reports can be sent; also while leaving, if the session was there."""
    return state.phase in (SessionPhase.REGISTERED, SessionPhase.LEAVING) and state.session_id != 0


def may_deliver(state: SessionState) -> bool:
    """True while there is hope that a report reaches the master."""
    return has_session(state) or not state.has_master_left
