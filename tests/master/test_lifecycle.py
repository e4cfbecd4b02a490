"""The states of a run: every pair of state and trigger."""

from __future__ import annotations

import itertools

import pytest

from locust_master.lifecycle import InvalidTransition, Lifecycle, RunState, RunTrigger

S, T = RunState, RunTrigger

TABLE = {
    (S.READY, T.START): S.SPAWNING,
    (S.SPAWNING, T.GOAL_REACHED): S.RUNNING,
    (S.SPAWNING, T.GOAL_MOVED): S.SPAWNING,
    (S.SPAWNING, T.STOP): S.STOPPING,
    (S.RUNNING, T.GOAL_MOVED): S.SPAWNING,
    (S.RUNNING, T.STOP): S.STOPPING,
    (S.STOPPING, T.DRAINED): S.STOPPED,
    (S.STOPPED, T.START): S.SPAWNING,
}

WAYS = {
    S.READY: [],
    S.SPAWNING: [T.START],
    S.RUNNING: [T.START, T.GOAL_REACHED],
    S.STOPPING: [T.START, T.STOP],
    S.STOPPED: [T.START, T.STOP, T.DRAINED],
}


def lifecycle_in(state: RunState) -> Lifecycle:
    lifecycle = Lifecycle()
    for trigger in WAYS[state]:
        lifecycle.apply(trigger)
    assert lifecycle.state is state
    return lifecycle


@pytest.mark.parametrize(("state", "trigger"), list(itertools.product(RunState, RunTrigger)))
def test_lifecycle_follows_the_table_for_every_pair(state: RunState, trigger: RunTrigger) -> None:
    """A pair that is not in the design has no transition, whatever led there."""
    lifecycle = lifecycle_in(state)
    wanted = TABLE.get((state, trigger))
    assert lifecycle.may(trigger) is (wanted is not None)
    if wanted is None:
        with pytest.raises(InvalidTransition):
            lifecycle.apply(trigger)
        assert lifecycle.state is state
    else:
        assert lifecycle.apply(trigger) is wanted
        assert lifecycle.state is wanted


@pytest.mark.parametrize("state", RunState)
def test_lifecycle_is_active_while_users_are_wanted(state: RunState) -> None:
    """What asks for users and what does not hangs on it."""
    assert lifecycle_in(state).is_active is (state in (S.SPAWNING, S.RUNNING))


def test_invalid_transition_tells_the_last_triggers() -> None:
    """Whoever finds it in a log sees the way there."""
    lifecycle = lifecycle_in(S.STOPPING)
    with pytest.raises(InvalidTransition, match=r"ready\+start, spawning\+stop, stopping\+start"):
        lifecycle.apply(T.START)
