"""From an assignment to each runner's target."""

from __future__ import annotations

import pytest

from locust_protocol.schedule import Span, UserSchedule, final_users, wanted_users
from locust_protocol.v1 import assignment_pb2
from locust_worker.clock import ClockEstimate
from locust_worker.duty import Duty
from locust_worker.shares import Shares, UnusableGoal, is_under_way, make_target, read_goals

RUN, OTHER_RUN = b"r" * 16, b"s" * 16

RAMP = UserSchedule("A", 0, (Span(0, 1_000_000, 8, 1),))


def users_at(deal: list[tuple[UserSchedule, ...]], at_us: int) -> list[int]:
    return [sum(wanted_users(schedule, at_us) for schedule in share) for share in deal]


def test_shares_stay_the_same_for_the_same_goals_and_runners() -> None:
    """Applying an assignment twice changes nothing."""
    shares = Shares(2)
    first = shares.deal([RAMP], run_id=RUN, alive=[True, True], now_us=0)
    assert shares.deal([RAMP], run_id=RUN, alive=[True, True], now_us=5_000_000) is first


def test_shares_of_a_lost_runner_go_to_the_others_in_the_middle_of_a_ramp() -> None:
    """The worker's total stays on plan, now and to the end."""
    shares = Shares(3)
    shares.deal([RAMP], run_id=RUN, alive=[True] * 3, now_us=0)
    deal = shares.deal([RAMP], run_id=RUN, alive=[True, False, True], now_us=3_500_000)
    assert deal[1] == ()
    for at_us in (3_500_000, 5_000_000, 9_000_000):
        assert sum(users_at(deal, at_us)) == wanted_users(RAMP, at_us)


def test_shares_move_as_few_users_as_they_can() -> None:
    """A user that moves loses its session with the target."""
    shares = Shares(2)
    steady = UserSchedule("A", 4, ())
    shares.deal([steady], run_id=RUN, alive=[True, True], now_us=0)
    deal = shares.deal([UserSchedule("A", 6, ())], run_id=RUN, alive=[True, True], now_us=1)
    assert users_at(deal, 1) == [3, 3]


def test_shares_start_anew_with_another_run() -> None:
    """The second run's ramp begins at its own zero."""
    shares = Shares(2)
    shares.deal([RAMP], run_id=RUN, alive=[True, True], now_us=9_000_000)
    deal = shares.deal([RAMP], run_id=OTHER_RUN, alive=[True, True], now_us=2_000_000)
    assert users_at(deal, 0) == [1, 0]
    assert sum(final_users(schedule) for share in deal for schedule in share) == 8


def test_goals_that_cannot_be_pursued_are_refused_by_name() -> None:
    """A class that is not here, or a model that this version lacks."""
    unknown = assignment_pb2.ClassGoal(user_class="B", users=assignment_pb2.UserSchedule(base_users=1))
    with pytest.raises(UnusableGoal, match="user class B is not in the locustfile here; it has A"):
        read_goals([unknown], known_classes={"A"})
    arrivals = assignment_pb2.ClassGoal(user_class="A", arrivals=assignment_pb2.ArrivalSchedule())
    with pytest.raises(UnusableGoal, match="arrivals"):
        read_goals([arrivals], known_classes={"A"})


def test_worker_is_under_way_until_the_last_change_is_done() -> None:
    """What the state SPAWNING means."""
    assert is_under_way([RAMP], 6_000_000, placed=7)
    assert is_under_way([RAMP], 7_000_000, placed=7)
    assert not is_under_way([RAMP], 7_000_000, placed=8)


def assignment(**fields: object) -> assignment_pb2.Assignment:
    defaults = {"generation": 5, "run_id": RUN, "phase": assignment_pb2.PHASE_RUN, "run_start_ns": 1_000}
    return assignment_pb2.Assignment(**{**defaults, **fields})  # type: ignore[arg-type]


def test_target_is_on_this_machines_clock() -> None:
    """Run time zero is a moment of the master's clock."""
    duty = Duty()
    duty.accept(assignment(), ClockEstimate(offset_ns=400, error_ns=5))
    assert make_target(duty, [RAMP], assignment_pb2.RunSettings()).run_start_ns == 600


def test_duty_keeps_a_runs_clock_until_it_is_clearly_off() -> None:
    """Jitter must not move the timeline; drift must."""
    duty = Duty()
    duty.accept(assignment(), ClockEstimate(1_000, 0))
    assert not duty.follow_clock(ClockEstimate(9_000_000, 0))
    assert duty.follow_clock(ClockEstimate(12_000_000, 0))


def test_duty_ignores_an_older_assignment_and_takes_the_same_one_again() -> None:
    """Told again after a lost session, it lifts the fence."""
    duty = Duty()
    duty.accept(assignment(), ClockEstimate())
    duty.is_fenced = True
    assert not duty.accept(assignment(generation=4), ClockEstimate())
    assert duty.phase == assignment_pb2.PHASE_DRAIN
    assert duty.accept(assignment(), ClockEstimate())
    assert duty.phase == assignment_pb2.PHASE_RUN


def test_duty_ends_a_run_at_its_deadline() -> None:
    """Even when nobody is left to say so."""
    duty = Duty()
    duty.accept(assignment(run_start_ns=0, deadline_us=10), ClockEstimate())
    assert not duty.time_passed(9_999)
    assert duty.time_passed(10_000)
    assert not duty.time_passed(10_001)
    assert duty.phase == assignment_pb2.PHASE_DRAIN
    assert duty.is_last_report_due(RUN)


def test_duty_fenced_owes_no_final_report() -> None:
    """The same run may go on once the master is back."""
    duty = Duty()
    duty.accept(assignment(), ClockEstimate())
    duty.is_fenced = True
    assert not duty.is_last_report_due(RUN)
    assert duty.is_last_report_due(OTHER_RUN)


def test_duty_never_observes_what_it_refused() -> None:
    """ACK and NACK of one generation would contradict each other."""
    duty = Duty()
    duty.accept(assignment(), ClockEstimate())
    duty.refuse("no")
    duty.observe()
    assert (duty.observed_generation, duty.refused_generation) == (0, 5)
    duty.accept(assignment(generation=6), ClockEstimate())
    duty.observe()
    assert (duty.observed_generation, duty.refused_generation, duty.refusal) == (6, 0, "")
