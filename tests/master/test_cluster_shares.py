"""Shares of the users: who runs what when workers join, go, or the goal moves."""

from __future__ import annotations

from locust_master.lifecycle import RunState
from locust_master.membership import Member
from locust_master.planning.goal import ClassShare, Goal
from locust_master.run import CHANGE_LEAD_US
from locust_protocol.v1 import (
    assignment_pb2,
    report_pb2,
    snapshot_pb2,
)
from tests.master.cluster_builders import (
    RUN_ID,
    START_NS,
    Fleet,
    event_kinds,
    goal_users,
    make_run,
    registration,
    report,
    started,
)


def test_run_that_begins_gives_everybody_a_share() -> None:
    """The shares add up to the goal, and each worker knows the run's zero."""
    fleet = Fleet()
    members = [fleet.join(registration(number)) for number in (1, 2)]
    fleet.cluster.begin(make_run(users=11, run_time_s=60))
    told = [fleet.assignment(member) for member in members]
    assert sum(goal_users(assignment) for assignment in told) == 11
    for assignment in told:
        assert assignment.phase == assignment_pb2.PHASE_RUN
        assert assignment.run_id == RUN_ID
        assert assignment.run_start_ns == START_NS
        assert assignment.deadline_us == 60_000_000
        assert assignment.cluster.target_users == 11
    assert fleet.cluster.state is RunState.SPAWNING


def hear(fleet: Fleet, *members: Member) -> None:
    """Members report that they follow what they were told, and the clock is looked at."""
    run = fleet.cluster.run
    assert run is not None
    for member in members:
        following = run.ledger.applied.get(member.uid, 0) + 1
        fleet.tell(member, report(following, generation=fleet.cluster.generation))
    fleet.cluster.tick(fleet.now_ns)


def report_until(fleet: Fleet, seconds: int, *members: Member) -> None:
    """Members report every second until then."""
    while fleet.seconds < seconds:
        fleet.seconds += 1
        hear(fleet, *members)


def test_worker_that_joins_mid_run_gets_a_share() -> None:
    """The others give it away, and say so, before it starts anybody."""
    fleet, (first,) = started(1, users=10)
    report_until(fleet, 5, first)
    second = fleet.join(registration(2))
    fleet.seconds = 6
    hear(fleet, first, second)
    assert [goal_users(fleet.assignment(member)) for member in (first, second)] == [5, 0]
    hear(fleet, first)
    assert [goal_users(fleet.assignment(member)) for member in (first, second)] == [5, 5]
    assert event_kinds(fleet) == [snapshot_pb2.RUN_EVENT_KIND_WORKER_JOINED]


def test_worker_that_joins_waits_for_its_share_until_the_others_were_heard() -> None:
    """One that is cut off at that moment would run on what somebody else starts."""
    fleet, (first, silent) = started(1, 2, users=12)
    report_until(fleet, 5, first, silent)
    third = fleet.join(registration(3))
    fleet.seconds = 6
    hear(fleet, first, third)
    told = fleet.assignment(third)
    assert (told.phase, goal_users(told)) == (assignment_pb2.PHASE_RUN, 0)
    hear(fleet, silent)
    hear(fleet, first, silent)
    assert goal_users(fleet.assignment(third)) == 4


def test_worker_that_joins_waits_for_its_share_until_it_has_loaded_the_locustfile() -> None:
    """Else all users that fell due meanwhile would start at once."""
    fleet, (first,) = started(1, users=12)
    report_until(fleet, 5, first)
    second = fleet.join(registration(2))
    fleet.seconds = 6
    fleet.tell(second, report(1))
    hear(fleet, first)
    assert goal_users(fleet.assignment(second)) == 0
    hear(fleet, second)
    hear(fleet, first)
    assert goal_users(fleet.assignment(second)) == 6


def test_worker_that_joins_waits_for_its_share_while_another_is_silent() -> None:
    """Who was heard since the newcomer came may have been cut off since, too."""
    fleet, (first,) = started(1, users=12)
    report_until(fleet, 5, first)
    second = fleet.join(registration(2))
    fleet.seconds = 6
    hear(fleet, first)
    fleet.seconds = 7.8
    hear(fleet, second)
    assert goal_users(fleet.assignment(second)) == 0
    hear(fleet, first)
    hear(fleet, first)
    assert goal_users(fleet.assignment(second)) == 6


def test_worker_that_joins_waits_for_reports_that_came_after_the_master_stood_still() -> None:
    """What has waited to be read says nothing about who can hear now."""
    fleet, (first,) = started(1, users=12)
    report_until(fleet, 5, first)
    second = fleet.join(registration(2))
    fleet.seconds = 6.5
    fleet.cluster.loop_was_late(1.5, fleet.now_ns)
    hear(fleet, first, second)
    assert goal_users(fleet.assignment(second)) == 0
    fleet.seconds = 7.5
    hear(fleet, first, second)
    hear(fleet, first)
    assert goal_users(fleet.assignment(second)) == 6


def with_dead_runners(made: report_pb2.Report, *slots: int) -> report_pb2.Report:
    made.status.runners.extend(
        report_pb2.RunnerStatus(slot=slot, state=report_pb2.RUNNER_STATE_DEAD) for slot in slots
    )
    return made


def test_share_follows_the_runners_that_are_left() -> None:
    """A runner that is left dead after its crashes takes no users any more, on whatever machine it is."""
    fleet, (first, second) = started(1, 2, users=12)
    fleet.tell(first, with_dead_runners(report(1), 1))
    fleet.commands(first)
    fleet.seconds = 2
    fleet.tell(first, with_dead_runners(report(2), 1))
    fleet.tell(first, with_dead_runners(report(3, generation=fleet.cluster.generation), 1))
    assert [goal_users(fleet.assignment(member)) for member in (first, second)] == [4, 8]
    fleet.tell(first, with_dead_runners(report(4), 0, 1))
    fleet.seconds = 4
    fleet.tell(first, with_dead_runners(report(5), 0, 1))
    assert [goal_users(fleet.assignment(member)) for member in (first, second)] == [0, 12]


def test_runner_that_is_started_again_keeps_its_share() -> None:
    """It is dead for less than a report interval."""
    fleet, (first, _) = started(1, 2, users=12)
    plan = fleet.cluster.run.plan if fleet.cluster.run else None
    fleet.tell(first, with_dead_runners(report(1), 1))
    fleet.tell(first, report(2))
    fleet.tell(first, with_dead_runners(report(3), 1))
    assert fleet.cluster.run is not None
    assert fleet.cluster.run.plan is plan


def test_share_of_a_lost_worker_moves_and_the_loss_is_kept() -> None:
    """The report says what may be missing, and with whom it went."""
    fleet, (first, second) = started(1, 2, users=10)
    fleet.seconds = 11
    fleet.tell(first, report(1, requests=1))
    fleet.commands(first)
    fleet.seconds = 13
    assert fleet.cluster.tick(fleet.now_ns) == ()
    assert goal_users(fleet.assignment(first)) == 10
    assert not second.is_live
    run = fleet.cluster.run
    assert run is not None
    ((loss),) = run.losses
    assert (loss.worker, loss.at_ms, loss.missing_ms) == ("w2", 0, 13_250)
    assert event_kinds(fleet) == [snapshot_pb2.RUN_EVENT_KIND_WORKER_LOST]


def test_run_without_any_worker_waits_for_the_next_that_joins() -> None:
    """Losing the last one is no end: the goal stands."""
    fleet, _ = started(1, users=10)
    fleet.seconds = 20
    fleet.cluster.tick(fleet.now_ns)
    assert fleet.cluster.state is RunState.SPAWNING
    second = fleet.join(registration(2))
    fleet.seconds = 21
    hear(fleet, second)
    assert goal_users(fleet.assignment(second)) == 10


def test_goodbye_moves_the_share_at_once_and_is_no_loss() -> None:
    """A worker that goes on purpose has delivered everything."""
    fleet, (first, second) = started(1, 2, users=10)
    fleet.cluster.goodbye(second, "asked to end", fleet.now_ns)
    assert goal_users(fleet.assignment(first)) == 10
    assert fleet.cluster.run is not None
    assert fleet.cluster.run.losses == []
    assert event_kinds(fleet) == [snapshot_pb2.RUN_EVENT_KIND_WORKER_LEFT]
    assert fleet.cluster.membership.by_session(second.session_id) is None


def test_edit_sends_new_shares_under_a_new_generation() -> None:
    """A worker tells the newest assignment by its generation."""
    fleet, (member,) = started(1, users=10)
    generation = fleet.cluster.generation
    fleet.cluster.set_goal(Goal(30, 10, (ClassShare("A", 1),)), fleet.now_ns)
    told = fleet.assignment(member)
    assert goal_users(told) == 30
    assert told.generation == fleet.cluster.generation == generation + 1


def test_edit_before_run_time_zero_starts_nobody_early() -> None:
    """The first user is due at zero: it must not count as running before."""
    fleet, (member,) = started(1, users=10, spawn_rate=10)
    fleet.seconds = -0.1
    fleet.cluster.set_goal(Goal(30, 10, (ClassShare("A", 1),)), fleet.now_ns)
    (goal,) = fleet.assignment(member).goals
    assert (goal.users.base_users, goal.users.spans[0].first_due_us) == (0, 0)


def test_edit_begins_when_every_worker_can_have_heard_of_it() -> None:
    """A step that is due before the assignment arrives would come late, and out of its order."""
    fleet, _ = started(1, users=10, spawn_rate=100)
    fleet.seconds = 5
    fleet.cluster.set_goal(Goal(30, 100, (ClassShare("A", 1),)), fleet.now_ns)
    run = fleet.cluster.run
    assert run is not None
    begin_us = 5_000_000 + CHANGE_LEAD_US
    assert [run.planned_users(begin_us + us) for us in (-1, 0, 10_000, 1_000_000)] == [10, 11, 12, 30]


def test_edit_in_a_ramp_lets_the_ramp_go_on_until_it_begins() -> None:
    """There is no gap in it."""
    fleet, _ = started(1, users=100, spawn_rate=100)
    fleet.seconds = 0.5
    fleet.cluster.set_goal(Goal(20, 100, (ClassShare("A", 1),)), fleet.now_ns)
    run = fleet.cluster.run
    assert run is not None
    assert [run.planned_users(ms * 1_000) for ms in (500, 550, 599, 620, 2_000)] == [51, 56, 60, 59, 20]


def test_generation_grows_over_restarts_of_the_master() -> None:
    """A worker must not take a new master's first assignment for an old one."""
    fleet, _ = started(1)
    assert fleet.cluster.generation < Fleet().cluster.generation + 1_000
    assert Fleet().cluster.generation > 1_600_000_000_000
