"""The life of a runner, and the estimate of the master's clock: both pure, both small."""

from __future__ import annotations

import pytest

from locust_worker.clock import MAX_SAMPLES, ClockOffset
from locust_worker.runner_state import InvalidTransition, RunnerLife, RunnerPhase


def ready(now_s: float = 0.0) -> RunnerLife:
    life = RunnerLife()
    life.started(now_s)
    life.loaded(now_s)
    return life


def test_runner_is_stalled_after_two_silent_seconds_and_recovers() -> None:
    """User code that holds the interpreter cannot even answer a ping."""
    life = ready()
    assert [life.time_passed(now_s) for now_s in (1.9, 2.0, 2.1)] == [False, True, False]
    phases = [life.phase]
    assert life.ponged(3.0, blocked_us=0, blocked_at="")
    phases.append(life.phase)
    assert phases == [RunnerPhase.STALLED, RunnerPhase.READY]


def test_runner_is_stalled_when_it_says_that_its_loop_is_blocked() -> None:
    """The watchdog thread answers and names the line."""
    life = ready()
    assert not life.ponged(1.0, blocked_us=1_900_000, blocked_at="f.py:3")
    assert life.ponged(1.5, blocked_us=2_400_000, blocked_at="f.py:3")
    assert (life.phase, life.blocked_at) == (RunnerPhase.STALLED, "f.py:3")


def test_runner_counts_how_long_it_is_stalled() -> None:
    """What `--kill-stalled-after` compares with; further signs of being stuck do not start it anew."""
    life = ready()
    assert life.stalled_for_s(9.0) == 0.0
    life.ponged(3.0, blocked_us=2_400_000, blocked_at="f.py:3")
    life.ponged(3.5, blocked_us=2_900_000, blocked_at="f.py:3")
    assert life.stalled_for_s(5.0) == 2.0
    life.ponged(5.5, blocked_us=0, blocked_at="")
    assert life.stalled_for_s(9.0) == 0.0


def test_runner_is_not_blamed_for_the_time_in_which_nobody_listened() -> None:
    """An agent that stood still has its answers yet to read; half a second later silence counts again."""
    life = ready()
    life.excuse(5.0, unheard_s=5.0, grace_s=0.5)
    assert [life.time_passed(now_s) for now_s in (5.0, 5.4, 5.5)] == [False, False, True]
    life.excuse(9.0, unheard_s=3.0, grace_s=0.5)
    assert life.stalled_for_s(9.0) == 0.5


def test_runner_may_be_silent_while_it_loads() -> None:
    """Reading a large data file at import is no fault."""
    life = RunnerLife()
    life.started(0.0)
    assert not life.time_passed(60.0)
    assert life.phase is RunnerPhase.STARTING


def test_runner_is_started_again_within_two_seconds_of_a_crash() -> None:
    """Its share waits meanwhile."""
    life = ready()
    life.exited(10.0, may_restart=True)
    assert life.restart_at_s is not None
    assert life.restart_at_s < 12.0
    assert not life.is_given_up


def test_runner_is_left_dead_after_three_crashes_in_a_minute() -> None:
    """A crash that repeats is no accident."""
    life = ready()
    for now_s in (0.0, 30.0, 59.0):
        life.exited(now_s, may_restart=True)
        if now_s < 59.0:
            life.started(now_s + 1)
    assert life.is_given_up
    life.forgive()
    assert life.crashes_s == []


def test_runner_crashes_far_apart_do_not_add_up() -> None:
    """Days of load may see three."""
    life = ready()
    for now_s in (0.0, 61.0, 122.0, 183.0):
        life.exited(now_s, may_restart=True)
        assert not life.is_given_up
        life.started(now_s + 1)


def test_runner_that_could_not_load_is_not_started_again() -> None:
    """The same file would fail in the same way."""
    life = RunnerLife()
    life.started(0.0)
    life.exited(1.0, may_restart=False)
    assert life.is_given_up


def test_runner_refuses_an_event_that_cannot_be() -> None:
    """A dead process does not load a file."""
    with pytest.raises(InvalidTransition):
        RunnerLife().loaded(0.0)


def test_clock_estimate_takes_the_exchange_with_the_shortest_way() -> None:
    """Queues only ever make a way longer, and one way more than the other."""
    clock = ClockOffset()
    clock.add(sent_ns=100, master_received_ns=5_400, master_sent_ns=5_500, received_ns=1_000)
    clock.add(sent_ns=2_000, master_received_ns=7_010, master_sent_ns=7_020, received_ns=2_030)
    assert clock.estimate.offset_ns == 5_000
    assert clock.estimate.error_ns == 10


def test_clock_estimate_forgets_old_exchanges() -> None:
    """Clocks drift: a good exchange of an hour ago says little."""
    clock = ClockOffset()
    clock.add(sent_ns=1, master_received_ns=1, master_sent_ns=1, received_ns=1)
    for _ in range(MAX_SAMPLES):
        clock.add(sent_ns=100, master_received_ns=1_150, master_sent_ns=1_150, received_ns=200)
    assert clock.estimate.offset_ns == 1_000


def test_clock_estimate_ignores_an_exchange_that_cannot_be() -> None:
    """An acknowledgement without a report's time, or one from the future."""
    clock = ClockOffset()
    clock.add(sent_ns=0, master_received_ns=5, master_sent_ns=5, received_ns=9)
    clock.add(sent_ns=10, master_received_ns=0, master_sent_ns=50, received_ns=20)
    assert (clock.estimate.offset_ns, clock.estimate.error_ns) == (0, 0)
