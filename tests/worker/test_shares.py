"""From an assignment to each runner's target."""

from __future__ import annotations

import pytest

from locust_protocol.schedule import Span, UserSchedule, final_users, wanted_users
from locust_protocol.v1 import assignment_pb2, master_service_pb2
from locust_worker.clock import ClockEstimate
from locust_worker.duty import Duty
from locust_worker.shares import Seat, Shares, UnusableGoal, is_under_way, make_target, read_goals

RUN, OTHER_RUN = b"r" * 16, b"s" * 16

RAMP = UserSchedule("A", 0, (Span(0, 1_000_000, 8, 1),))


def seats(*lives: int | None) -> list[Seat]:
    return [Seat(life=life) for life in lives]


BOTH = seats(1, 2)


def users_at(deal: list[tuple[UserSchedule, ...]], at_us: int) -> list[int]:
    return [sum(wanted_users(schedule, at_us) for schedule in share) for share in deal]


def test_shares_stay_the_same_for_the_same_goals_and_runners() -> None:
    """Applying an assignment twice changes nothing."""
    shares = Shares(2)
    first = shares.deal([RAMP], run_id=RUN, seats=BOTH, spawn_rate=0.0, now_us=0)
    assert shares.deal([RAMP], run_id=RUN, seats=BOTH, spawn_rate=0.0, now_us=5_000_000) is first


def test_shares_of_a_lost_runner_go_to_the_others_in_the_middle_of_a_ramp() -> None:
    """The worker's total stays on plan, now and to the end."""
    shares = Shares(3)
    shares.deal([RAMP], run_id=RUN, seats=seats(1, 2, 3), spawn_rate=0.0, now_us=0)
    deal = shares.deal(
        [RAMP],
        run_id=RUN,
        seats=[Seat(life=1), Seat(has_share=False), Seat(life=3)],
        spawn_rate=0.0,
        now_us=3_500_000,
    )
    assert deal[1] == ()
    for at_us in (3_500_000, 5_000_000, 9_000_000):
        assert sum(users_at(deal, at_us)) == wanted_users(RAMP, at_us)


def test_shares_move_as_few_users_as_they_can() -> None:
    """A user that moves loses its session with the target."""
    shares = Shares(2)
    steady = UserSchedule("A", 4, ())
    shares.deal([steady], run_id=RUN, seats=BOTH, spawn_rate=0.0, now_us=0)
    deal = shares.deal([UserSchedule("A", 6, ())], run_id=RUN, seats=BOTH, spawn_rate=0.0, now_us=1)
    assert users_at(deal, 1) == [3, 3]


def test_shares_start_anew_with_another_run() -> None:
    """The second run's ramp begins at its own zero."""
    shares = Shares(2)
    shares.deal([RAMP], run_id=RUN, seats=BOTH, spawn_rate=0.0, now_us=9_000_000)
    deal = shares.deal([RAMP], run_id=OTHER_RUN, seats=BOTH, spawn_rate=0.0, now_us=2_000_000)
    assert users_at(deal, 0) == [1, 0]
    assert sum(final_users(schedule) for share in deal for schedule in share) == 8


STEADY = UserSchedule("A", 10, ())
SECOND_US = 1_000_000


def test_users_of_a_runner_that_died_come_back_at_the_spawn_rate_from_when_the_new_one_is_loaded() -> None:
    """Not all at once: the target would be hit by as many logins in one moment."""
    shares = Shares(2)
    shares.deal([STEADY], run_id=RUN, seats=BOTH, spawn_rate=2.0, now_us=0)
    away = shares.deal([STEADY], run_id=RUN, seats=seats(1, None), spawn_rate=2.0, now_us=SECOND_US)
    assert away[1] == ()
    back = shares.deal([STEADY], run_id=RUN, seats=seats(1, 3), spawn_rate=2.0, now_us=3 * SECOND_US)
    moments = [3 * SECOND_US + half * SECOND_US // 2 for half in range(6)]
    assert [users_at(back, at_us) for at_us in moments] == [[5, n] for n in (1, 2, 3, 4, 5, 5)]
    assert [sum(users_at(shares.plan, at_us)) for at_us in moments] == [10] * 6


def test_users_of_runners_that_died_at_once_come_back_at_one_rate_together() -> None:
    """The rate is the agent's, not each runner's; one that loads later joins the rhythm."""
    shares = Shares(2)
    shares.deal([STEADY], run_id=RUN, seats=BOTH, spawn_rate=1.0, now_us=0)
    shares.deal([STEADY], run_id=RUN, seats=seats(None, None), spawn_rate=1.0, now_us=10)
    shares.deal([STEADY], run_id=RUN, seats=seats(3, None), spawn_rate=1.0, now_us=SECOND_US)
    deal = shares.deal([STEADY], run_id=RUN, seats=seats(3, 4), spawn_rate=1.0, now_us=2_500_000)
    totals = [sum(users_at(deal, at_us)) for at_us in range(2_500_000, 11 * SECOND_US, SECOND_US // 2)]
    assert totals == [2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10]


def test_users_of_a_runner_that_was_given_up_come_back_elsewhere_at_the_spawn_rate() -> None:
    """Those that run on the others stay where they are."""
    shares = Shares(3)
    steady = UserSchedule("A", 6, ())
    shares.deal([steady], run_id=RUN, seats=seats(1, 2, 3), spawn_rate=1.0, now_us=0)
    left = [Seat(life=1), Seat(has_share=False), Seat(life=3)]
    deal = shares.deal([steady], run_id=RUN, seats=left, spawn_rate=1.0, now_us=SECOND_US)
    assert [users_at(deal, at_us) for at_us in (SECOND_US, 2 * SECOND_US)] == [[3, 0, 2], [3, 0, 3]]


def test_users_that_the_master_adds_come_when_they_are_due_while_others_are_missing() -> None:
    """What the goals newly want is the master's to time."""
    shares = Shares(2)
    shares.deal([STEADY], run_id=RUN, seats=BOTH, spawn_rate=1.0, now_us=0)
    shares.deal([STEADY], run_id=RUN, seats=seats(1, None), spawn_rate=1.0, now_us=1)
    shares.deal([STEADY], run_id=RUN, seats=seats(1, 3), spawn_rate=1.0, now_us=2)
    more = UserSchedule("A", 14, ())
    deal = shares.deal([more], run_id=RUN, seats=seats(1, 3), spawn_rate=1.0, now_us=3)
    assert users_at(deal, 3) == [7, 3]
    assert users_at(deal, 20 * SECOND_US) == [7, 7]


def test_shares_of_a_run_that_is_fenced_come_back_at_the_spawn_rate() -> None:
    """The new processes have none of the users, whatever the assignment says that is wanted by now."""
    shares = Shares(2)
    shares.deal([STEADY], run_id=RUN, seats=BOTH, spawn_rate=5.0, now_us=0)
    deal = shares.deal([STEADY], run_id=RUN, seats=seats(3, 4), spawn_rate=5.0, now_us=SECOND_US)
    assert [sum(users_at(deal, at_us)) for at_us in (SECOND_US, 2 * SECOND_US, 3 * SECOND_US)] == [1, 6, 10]


def test_users_that_ended_by_themselves_do_not_come_back_with_a_new_runner() -> None:
    """They count as placed, as on a runner that lives, and are the first that a smaller goal ends."""
    shares = Shares(2)
    shares.deal([STEADY], run_id=RUN, seats=BOTH, spawn_rate=2.0, now_us=0)
    shares.note_gone({"A": 3})
    shares.deal([STEADY], run_id=RUN, seats=seats(1, None), spawn_rate=2.0, now_us=SECOND_US)
    assert shares.gone_users(SECOND_US) == {"A": 3}
    back = shares.deal([STEADY], run_id=RUN, seats=seats(1, 3), spawn_rate=2.0, now_us=2 * SECOND_US)
    assert [users_at(back, n * SECOND_US) for n in (2, 3, 9)] == [[5, 1], [5, 2], [5, 2]]
    fewer = [UserSchedule("A", 10, (Span(20 * SECOND_US, SECOND_US, 4, -1),))]
    down = shares.deal(fewer, run_id=RUN, seats=seats(1, 3), spawn_rate=2.0, now_us=10 * SECOND_US)
    for now_s in (10, 20, 21, 22, 30):
        at_us = now_s * SECOND_US
        placed = sum(users_at(down, at_us)) + sum(shares.gone_users(at_us).values())
        assert placed == wanted_users(fewer[0], at_us)
    assert sum(shares.gone_users(30 * SECOND_US).values()) == 1


def test_users_that_ended_by_themselves_are_forgotten_with_their_run() -> None:
    """The next run starts all its users."""
    shares = Shares(1)
    shares.deal([STEADY], run_id=RUN, seats=seats(1), spawn_rate=0.0, now_us=0)
    shares.note_gone({"A": 3})
    deal = shares.deal([STEADY], run_id=RUN, seats=seats(2), spawn_rate=0.0, now_us=1)
    assert users_at(deal, 1) == [7]
    deal = shares.deal([STEADY], run_id=OTHER_RUN, seats=seats(2), spawn_rate=0.0, now_us=0)
    assert users_at(deal, 0) == [10]
    assert shares.gone_users(0) == {}


def test_users_that_ended_by_themselves_stay_away_when_their_runner_is_given_up() -> None:
    """The others take over the rest of its share only."""
    shares = Shares(2)
    shares.deal([STEADY], run_id=RUN, seats=BOTH, spawn_rate=0.0, now_us=0)
    shares.note_gone({"A": 4})
    left = [Seat(life=1), Seat(has_share=False)]
    deal = shares.deal([STEADY], run_id=RUN, seats=left, spawn_rate=0.0, now_us=1)
    assert users_at(deal, 1) == [6, 0]
    assert shares.gone_users(1) == {"A": 4}


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


def test_assignment_that_starts_nobody_is_told_from_others() -> None:
    """Somebody may wait for the word that users were given up."""

    def schedule(*changes: int) -> assignment_pb2.UserSchedule:
        spans = [assignment_pb2.Span(first_due_us=9, count=1, change=change) for change in changes]
        return assignment_pb2.UserSchedule(base_users=2, spans=spans)

    duty = Duty()
    for generation, (changes, starts_nobody) in enumerate([((), True), ((-1,), True), ((-1, 1), False)], 5):
        goals = [assignment_pb2.ClassGoal(user_class="A", users=schedule(*changes))]
        duty.accept(assignment(generation=generation, goals=goals), ClockEstimate())
        assert duty.starts_nobody is starts_nobody
    duty.accept(assignment(generation=9, phase=assignment_pb2.PHASE_DRAIN), ClockEstimate())
    assert not duty.starts_nobody


def test_duty_ignores_an_older_assignment_and_takes_the_same_one_again() -> None:
    """Told again after a lost session, it lifts the fence."""
    duty = Duty()
    duty.accept(assignment(), ClockEstimate())
    duty.is_fenced = True
    assert not duty.accept(assignment(generation=4), ClockEstimate())
    assert duty.phase == assignment_pb2.PHASE_DRAIN
    assert duty.accept(assignment(), ClockEstimate())
    assert duty.phase == assignment_pb2.PHASE_RUN


def test_duty_knows_that_users_were_ended_while_the_master_read_that_they_run() -> None:
    """Whoever is fenced between question and answer is not what it said it was."""
    duty = Duty()
    duty.accept(assignment(), ClockEstimate())
    said = master_service_pb2.RegisterRequest()
    assert not duty.has_ended_users_since(said)
    said.progress.run_id, said.progress.phase = RUN, assignment_pb2.PHASE_RUN
    assert not duty.has_ended_users_since(said)
    duty.is_fenced = True
    assert duty.has_ended_users_since(said)
    said.progress.phase = assignment_pb2.PHASE_DRAIN
    assert not duty.has_ended_users_since(said)


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
