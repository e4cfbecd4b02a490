"""What the agent does about its master: joining, leases, losing and leaving."""

from __future__ import annotations

import pytest

from locust_protocol.process.exit_codes import ExitCode
from locust_worker.session import (
    Acknowledged,
    Admitted,
    AdmittedTooLate,
    CloseStreams,
    Drain,
    Drained,
    End,
    Fence,
    LeaveAsked,
    MasterLeft,
    OpenStreams,
    RefusedForGood,
    Register,
    Say,
    SessionEvent,
    SessionPhase,
    SessionSettings,
    SessionState,
    Started,
    Step,
    StreamsEnded,
    Superseded,
    Suspended,
    TimePassed,
    Unreachable,
    may_deliver,
    step,
)

LEASE_S = 10.0


def play(events: list[tuple[float, SessionEvent]], *, stay: bool = False) -> Step:
    """Plays events at their times and returns the state with the effects of the last one."""
    state, effects = SessionState(SessionSettings(stay=stay, reconnect_timeout_s=600.0)), ()
    for now_s, event in events:
        state, effects = step(state, event, now_s)  # type: ignore[assignment]
    return state, effects


def admitted(at_s: float = 0.0, session_id: int = 7) -> tuple[float, SessionEvent]:
    return at_s, Admitted(session_id=session_id, lease_ttl_s=LEASE_S, sent_s=at_s)


def test_session_asks_for_ever_with_growing_pauses_before_its_first_join() -> None:
    """A worker may be started long before its master."""
    state, (register,) = play([(0.0, Started())])
    assert register == Register(0.0)
    pauses = []
    for attempt in range(6):
        state, effects = step(state, Unreachable("no answer"), 1000.0 * attempt)
        pauses += [effect.delay_s for effect in effects if isinstance(effect, Register)]
    assert pauses == [0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    assert state.phase is SessionPhase.JOINING


def test_session_says_every_ten_seconds_that_there_is_no_master() -> None:
    """At once for the newcomer, then without flooding the log."""
    state, _ = play([(0.0, Started())])
    said = []
    for second in range(25):
        state, effects = step(state, Unreachable("no answer"), float(second))
        said += [second for effect in effects if isinstance(effect, Say)]
    assert said == [0, 10, 20]


def test_session_fences_when_no_report_was_acknowledged_for_the_lease() -> None:
    """The share may run elsewhere from then on; it is looked for, statistics are kept."""
    state, effects = play([admitted(), (9.9, TimePassed())])
    assert effects == ()
    state, effects = step(state, TimePassed(), 10.0)
    assert state.phase is SessionPhase.LOST
    assert [type(effect) for effect in effects] == [Fence, CloseStreams, Say, Register]


def test_lease_counts_from_when_the_acknowledged_report_was_sent() -> None:
    """Only then it ends here before it ends at the master, however slow the acknowledgement was."""
    state, _ = play([admitted(), (9.0, Acknowledged(7, sent_s=2.0))])
    _, effects = step(state, TimePassed(), 11.9)
    assert effects == ()
    _, effects = step(state, TimePassed(), 12.0)
    assert isinstance(effects[0], Fence)


def test_session_lost_keeps_users_until_the_lease_is_over_and_fences_once() -> None:
    """A master that restarts within seconds costs nothing."""
    events = [admitted(), (3.0, StreamsEnded(7, "reset")), (9.0, TimePassed())]
    state, effects = play(events)
    assert (state.phase, effects) == (SessionPhase.LOST, ())
    state, effects = step(state, TimePassed(), 10.0)
    assert [type(effect) for effect in effects] == [Fence]
    assert step(state, TimePassed(), 11.0)[1] == ()


def test_session_gives_up_when_a_lost_master_does_not_come_back() -> None:
    """A load generator without a master must not wait for ever in a pipeline."""
    state, _ = play([admitted(), (5.0, StreamsEnded(7, "reset"))])
    assert not any(isinstance(effect, End) for effect in step(state, TimePassed(), 604.9)[1])
    state, (end,) = step(state, TimePassed(), 605.0)
    assert isinstance(end, End)
    assert end.exit_code is ExitCode.DEGRADED
    assert step(state, Admitted(8, LEASE_S, 605.0), 605.1)[1] == ()


def test_session_resumes_after_a_loss() -> None:
    """Coming back opens streams under the new session and forgets the fence."""
    events = [admitted(), (3.0, StreamsEnded(7, "reset")), (10.0, TimePassed()), admitted(11.0, session_id=8)]
    state, effects = play(events)
    assert effects[-1] == OpenStreams()
    assert (state.phase, state.session_id, state.is_fenced) == (SessionPhase.REGISTERED, 8, False)


@pytest.mark.parametrize(
    "event",
    [StreamsEnded(6, "late"), Superseded(6, "x"), MasterLeft(6, "x"), Unreachable("late"), Drained()],
)
def test_session_ignores_news_of_an_older_session(event: SessionEvent) -> None:
    """The streams that a takeover closes say so later, on their way out."""
    state, effects = play([admitted(), (1.0, event)])
    assert (state.phase, effects) == (SessionPhase.REGISTERED, ())


def test_session_ends_when_it_is_superseded() -> None:
    """Two agents with one identity would fight for ever."""
    _, (end,) = play([admitted(), (1.0, Superseded(7, "10.0.0.9"))])
    assert isinstance(end, End)
    assert end.exit_code is ExitCode.DEGRADED


def test_session_ends_when_it_is_refused_for_good() -> None:
    """Another version or other user classes: asking again changes nothing."""
    _, (end,) = play([(0.0, Started()), (0.1, RefusedForGood("no common version"))])
    assert isinstance(end, End)
    assert end.exit_code is ExitCode.USAGE
    assert "no common version" in end.text


def test_session_leaves_in_order() -> None:
    """Users end and reports arrive before the goodbye."""
    state, effects = play([admitted(), (1.0, LeaveAsked())])
    assert [type(effect) for effect in effects] == [Drain]
    assert step(state, LeaveAsked(), 1.1)[1] == ()
    _, (end,) = step(state, Drained(), 2.0)
    assert end == End(ExitCode.OK)


def test_session_looks_for_its_master_while_leaving() -> None:
    """The last reports are worth a reconnect."""
    state, effects = play([admitted(), (1.0, LeaveAsked()), (2.0, StreamsEnded(7, "reset"))])
    assert [type(effect) for effect in effects] == [CloseStreams, Register]
    assert may_deliver(state)
    state, effects = step(state, Admitted(8, LEASE_S, 2.5), 2.5)
    assert state.phase is SessionPhase.LEAVING
    assert effects[-1] == OpenStreams()


def test_session_leaves_with_its_master() -> None:
    """Workers of a master that ends on purpose exit with 0."""
    state, effects = play([admitted(), (1.0, MasterLeft(7, "done"))])
    assert isinstance(effects[-1], Drain)
    state, effects = step(state, StreamsEnded(7, "closed"), 1.1)
    assert effects == (CloseStreams(),)
    assert not may_deliver(state)


def test_session_asks_again_at_once_when_it_was_admitted_for_what_is_true_no_more() -> None:
    """The master would send all users at once to a worker that it believes to run them."""
    lost = [admitted(), (3.0, StreamsEnded(7, "reset")), (10.0, TimePassed())]
    state, effects = play([*lost, (10.1, AdmittedTooLate())])
    assert effects[-1] == Register(0.0)
    assert (state.phase, state.is_fenced) == (SessionPhase.LOST, True)
    assert step(play([admitted()])[0], AdmittedTooLate(), 1.0)[1] == ()


def test_session_waits_for_the_next_master_when_told_to_stay() -> None:
    """A fleet that stands by: users end, the search has no limit."""
    state, effects = play([admitted(), (1.0, MasterLeft(7, "done"))], stay=True)
    assert [type(effect) for effect in effects] == [CloseStreams, Fence, Say, Register]
    state, _ = step(state, TimePassed(), 5000.0)
    assert state.phase is SessionPhase.JOINING


def test_session_ends_when_reports_are_rejected_again_and_again() -> None:
    """Sending the same report for ever helps nobody."""
    state, _ = play([admitted()])
    for attempt in range(3):
        state, effects = step(state, StreamsEnded(7, "bad", is_rejection=True), 1.0)
        if attempt < 2:
            state, _ = step(state, Admitted(7, LEASE_S, 1.0), 1.0)
    assert isinstance(effects[0], End)


def test_session_lets_no_waiting_acknowledgement_renew_a_lease_that_ran_out() -> None:
    """A process that was stopped finds it in its queue when it goes on; the share is another's by then."""
    state, effects = play([admitted(), (10.1, Acknowledged(7, 10.0))])
    assert state.phase is SessionPhase.LOST
    assert any(isinstance(effect, Fence) for effect in effects)
    state, effects = step(state, Acknowledged(7, 10.05), 10.2)
    assert (state.phase, effects) == (SessionPhase.LOST, ())


def test_session_counts_what_the_monotonic_clock_has_not_seen() -> None:
    """A suspended machine's clock stands still, its master's does not."""
    state, effects = play([admitted(), (1.0, Suspended(60.0)), (1.0, TimePassed())])
    assert state.is_fenced
    assert any(isinstance(effect, Fence) for effect in effects)


def test_session_takes_the_suspension_off_what_was_sent_before_it() -> None:
    """An acknowledgement that comes after says when the report was sent, not how long ago that was."""
    events = [admitted(), (2.0, Suspended(6.0)), (2.1, Acknowledged(7, 1.9))]
    state, _ = play(events)
    assert state.renewed_s == pytest.approx(1.9 - 6.0)
    state, _ = step(state, Acknowledged(7, 2.05), 2.2)
    assert state.renewed_s == pytest.approx(2.05)
