"""The agent's session with its master as data: what each event means and what is to be done about it.

    JOINING    never admitted yet: asks for ever, says so now and then
    REGISTERED admitted: streams are open, every acknowledged report renews the lease
    LOST       was admitted: asks again; users run on until the lease is over, then they are ended ("fenced")
    LEAVING    asked to end: users are drained, last reports delivered, then goodbye
    ENDED      nothing more happens

The lease counts from the moment at which the acknowledged report was *sent*, so it ends here before it ends
at the master: two workers never run the same share. A stream that ends is no goodbye and no reason to stop.

Pure: `now_s` is any monotonic clock in seconds. A pair of state and event that is not named below changes
nothing: news of a session that is over arrives late and is ignored.
"""

from __future__ import annotations

from dataclasses import replace

from locust_protocol.process.exit_codes import ExitCode
from locust_worker.session_effects import (
    CloseStreams,
    Drain,
    End,
    Fence,
    OpenStreams,
    Register,
    Say,
    SessionEffect,
)
from locust_worker.session_events import (
    Acknowledged,
    Admitted,
    AdmittedTooLate,
    Drained,
    LeaveAsked,
    MasterLeft,
    RefusedForGood,
    SessionEvent,
    Started,
    StreamsEnded,
    Superseded,
    Suspended,
    TimePassed,
    Unreachable,
)
from locust_worker.session_state import (
    SessionPhase,
    SessionSettings,
    SessionState,
    has_session,
    is_lease_over,
    lease_until_s,
    may_deliver,
)

__all__ = [
    "LEASE_IS_OVER",
    "MAX_BACKOFF_S",
    "Acknowledged",
    "Admitted",
    "AdmittedTooLate",
    "CloseStreams",
    "Drain",
    "Drained",
    "End",
    "Fence",
    "LeaveAsked",
    "MasterLeft",
    "OpenStreams",
    "RefusedForGood",
    "Register",
    "Say",
    "SessionEffect",
    "SessionEvent",
    "SessionPhase",
    "SessionSettings",
    "SessionState",
    "Started",
    "Step",
    "StreamsEnded",
    "Superseded",
    "Suspended",
    "TimePassed",
    "Unreachable",
    "has_session",
    "is_lease_over",
    "lease_until_s",
    "may_deliver",
    "step",
]

FIRST_BACKOFF_S = 0.2
"""Seconds before the second attempt to register; doubled after each further one."""

MAX_BACKOFF_S = 2.0
"""Seconds between two attempts at most: a master that comes back finds its workers at once."""

SAY_INTERVAL_S = 10.0
"""Seconds between two lines that say that the master cannot be reached."""

LEASE_IS_OVER = "the master acknowledged no report in time"
"""Why users are ended without an order of the master's."""

MAX_REJECTIONS = 3
"""Reports in a row that a master may call invalid; then sending them again is no use."""


Step = tuple[SessionState, tuple[SessionEffect, ...]]

_ASKING = (SessionPhase.JOINING, SessionPhase.LOST)


def step(state: SessionState, event: SessionEvent, now_s: float) -> Step:
    """Returns the state after an event, and what is to be done, in order."""
    if state.phase is SessionPhase.ENDED:
        return state, ()
    if state.phase is SessionPhase.REGISTERED and is_lease_over(state, now_s):
        # Before anything else: an acknowledgement that waited meanwhile does not renew what has run out.
        lost, effects = _time_passed(state, now_s)
        state, more = step(lost, event, now_s)
        return state, effects + more
    match event:
        case Started():
            return state, (Register(0.0),)
        case Admitted():
            return _admitted(state, event)
        case AdmittedTooLate() if not has_session(state):
            return state, (Register(0.0),)
        case Unreachable(reason) if state.phase in _ASKING:
            return _asked_in_vain(state, reason, now_s)
        case Unreachable() if state.phase is SessionPhase.LEAVING and not has_session(state):
            return state, (Register(FIRST_BACKOFF_S),)
        case RefusedForGood(reason) if state.phase in _ASKING:
            return _end(state, ExitCode.USAGE, f"the master refuses this worker: {reason}")
        case StreamsEnded(session_id) if _is_present(state, session_id):
            return _streams_ended(state, event, now_s)
        case Acknowledged(session_id, sent_s) if session_id == state.session_id:
            if sent_s < state.resumed_s:
                sent_s -= state.unseen_s
            return replace(state, renewed_s=max(state.renewed_s, sent_s), rejections=0), ()
        case Superseded(session_id, by) if _is_present(state, session_id):
            text = f"another process took this worker's session over ({by}); it must not run twice"
            return _end(state, ExitCode.DEGRADED, text)
        case MasterLeft(session_id, reason) if _is_present(state, session_id):
            return _master_left(state, reason)
        case LeaveAsked() if state.phase is not SessionPhase.LEAVING:
            return replace(state, phase=SessionPhase.LEAVING), (Drain("the worker is asked to end"),)
        case Drained() if state.phase is SessionPhase.LEAVING:
            return _end(state, ExitCode.OK, "")
        case Suspended(unseen_s):
            renewed_s = state.renewed_s - unseen_s
            return replace(state, renewed_s=renewed_s, resumed_s=now_s, unseen_s=unseen_s), ()
        case TimePassed():
            return _time_passed(state, now_s)
    return state, ()


def _is_present(state: SessionState, session_id: int) -> bool:
    return has_session(state) and session_id == state.session_id


def _admitted(state: SessionState, event: Admitted) -> Step:
    if has_session(state):
        return state, ()
    text = "connected to" if state.phase is SessionPhase.JOINING else "admitted again by"
    is_leaving = state.phase is SessionPhase.LEAVING
    admitted = replace(
        state,
        phase=state.phase if is_leaving else SessionPhase.REGISTERED,
        session_id=event.session_id,
        lease_ttl_s=event.lease_ttl_s,
        renewed_s=event.sent_s,
        is_fenced=False,
        attempts=0,
        said_s=None,
    )
    return admitted, (Say(f"{text} the master", is_warning=False), OpenStreams())


def _asked_in_vain(state: SessionState, reason: str, now_s: float) -> Step:
    effects: list[SessionEffect] = []
    said_s = state.said_s
    if said_s is None or now_s - said_s >= SAY_INTERVAL_S:
        said_s = now_s
        effects.append(Say(reason))
    effects.append(Register(_backoff_s(state.attempts)))
    return replace(state, attempts=state.attempts + 1, said_s=said_s), tuple(effects)


def _streams_ended(state: SessionState, event: StreamsEnded, now_s: float) -> Step:
    if state.phase is SessionPhase.LEAVING:
        alone = replace(state, session_id=0)
        again = (Register(FIRST_BACKOFF_S),) if may_deliver(alone) else ()
        return alone, (CloseStreams(), *again)
    rejections = state.rejections + 1 if event.is_rejection else state.rejections
    if rejections >= MAX_REJECTIONS:
        return _end(
            state, ExitCode.DEGRADED, f"the master does not take this worker's reports: {event.reason}"
        )
    return _lose(replace(state, rejections=rejections), event.reason, now_s)


def _lose(state: SessionState, reason: str, now_s: float) -> Step:
    lost = replace(state, phase=SessionPhase.LOST, session_id=0, lost_s=now_s, attempts=0, said_s=now_s)
    text = f"connection to the master lost ({reason}); looking for it"
    return lost, (CloseStreams(), Say(text), Register(FIRST_BACKOFF_S))


def _master_left(state: SessionState, reason: str) -> Step:
    because = f"the master ends: {reason}" if reason else "the master ends"
    if state.phase is SessionPhase.LEAVING:
        return replace(state, has_master_left=True), ()
    if not state.settings.stay:
        leaving = replace(state, phase=SessionPhase.LEAVING, has_master_left=True)
        return leaving, (Say(because, is_warning=False), Drain(because))
    waiting = replace(state, phase=SessionPhase.JOINING, session_id=0, attempts=0, said_s=None)
    text = f"{because}; waiting for the next one"
    return waiting, (CloseStreams(), Fence(because), Say(text, is_warning=False), Register(MAX_BACKOFF_S))


def _time_passed(state: SessionState, now_s: float) -> Step:
    is_over = is_lease_over(state, now_s)
    if state.phase is SessionPhase.REGISTERED and is_over:
        reason = f"no report acknowledged for {state.lease_ttl_s:g} s"
        lost, effects = _lose(state, reason, now_s)
        return replace(lost, is_fenced=True), (Fence(LEASE_IS_OVER), *effects)
    if state.phase is not SessionPhase.LOST:
        return state, ()
    if now_s - state.lost_s >= state.settings.reconnect_timeout_s:
        return _end(
            state,
            ExitCode.DEGRADED,
            f"the master did not come back within {state.settings.reconnect_timeout_s:g} s",
        )
    if is_over and not state.is_fenced:
        return replace(state, is_fenced=True), (Fence(LEASE_IS_OVER),)
    return state, ()


def _end(state: SessionState, exit_code: ExitCode, text: str) -> Step:
    return replace(state, phase=SessionPhase.ENDED), (End(exit_code, text),)


def _backoff_s(attempts: int) -> float:
    return min(FIRST_BACKOFF_S * 2.0 ** min(attempts, 10), MAX_BACKOFF_S)
