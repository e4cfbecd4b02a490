"""Users that move: they start when whoever had them has heard that it lost them, and never before."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from locust_master.handover import BLOCKED_PATIENCE_S, Handover
from locust_master.membership import Member
from locust_master.planning.goal import ClassShare, Goal
from locust_master.planning.plan import PlanBasis, planned_users
from locust_master.run import HANDOVER_LATE_US, Run
from locust_protocol.limits import LEASE_REASSIGN_GRACE_S
from tests.master.cluster_builders import (
    FENCED,
    LEASE_TTL_S,
    Fleet,
    goal_users,
    registration,
    report,
    started,
)

GIVEN_UP_S = LEASE_TTL_S + LEASE_REASSIGN_GRACE_S + 0.1


def run_of(fleet: Fleet) -> Run:
    assert fleet.cluster.run is not None
    return fleet.cluster.run


def hear(fleet: Fleet, *members: Member, generation: int | None = None) -> None:
    """Members report that they follow a generation, the newest by default."""
    for member in members:
        following = run_of(fleet).ledger.applied.get(member.uid, 0) + 1
        newest = fleet.cluster.generation if generation is None else generation
        fleet.tell(member, report(following, generation=newest))


def report_until(fleet: Fleet, seconds: int, *members: Member) -> None:
    """Members report every second until then."""
    while fleet.seconds < seconds:
        fleet.seconds += 1
        hear(fleet, *members)
        fleet.cluster.tick(fleet.now_ns)


def moving() -> tuple[Fleet, Member, Member, Member]:
    """Two workers run 12 users, and a third one has just been given a part of them."""
    fleet, (first, second) = started(1, 2, users=12)
    report_until(fleet, 5, first, second)
    third = fleet.join(registration(3))
    report_until(fleet, 6, first, second, third)
    assert run_of(fleet).handover.is_pending
    assert [goal_users(fleet.assignment(each)) for each in (first, second, third)] == [4, 4, 0]
    return fleet, first, second, third


def test_users_that_move_are_started_when_all_who_lose_some_have_heard() -> None:
    """One is not enough: the other one may be cut off."""
    fleet, first, second, third = moving()
    hear(fleet, first)
    assert run_of(fleet).handover.is_pending
    hear(fleet, second)
    assert not run_of(fleet).handover.is_pending
    assert goal_users(fleet.assignment(third)) == 4


def test_report_of_an_older_generation_is_no_word_of_the_move() -> None:
    """It was on its way when the plan was made."""
    fleet, first, second, _ = moving()
    hear(fleet, first, second, generation=fleet.cluster.generation - 1)
    assert run_of(fleet).handover.is_pending


def test_users_that_move_are_started_when_who_had_them_is_lost() -> None:
    """Its lease is over, so nobody runs them any more."""
    fleet, first, _, third = moving()
    report_until(fleet, 6 + int(GIVEN_UP_S), first, third)
    assert run_of(fleet).handover.is_pending
    report_until(fleet, 8 + int(GIVEN_UP_S), first, third)
    assert sum(goal_users(fleet.assignment(each)) for each in (first, third)) == 12


def test_users_come_at_the_spawn_rate_when_word_of_a_move_comes_late() -> None:
    """Those that were due meanwhile must not start all at once."""
    fleet, first, second, third = moving()
    fleet.seconds = 9
    hear(fleet, first, second)
    told = fleet.assignment(third)
    (goal,) = told.goals
    assert goal.users.base_users == 0
    assert goal_users(told) == 4
    assert min(span.first_due_us for span in goal.users.spans) >= 9_000_000
    run = run_of(fleet)
    held_users = planned_users(run.plan, 9_000_000)
    assert held_users == 8
    assert planned_users(run.plan, 9_000_000 + 4 * 100_000 + HANDOVER_LATE_US) == 12


def test_edit_waits_for_a_move_that_is_under_way() -> None:
    """It goes on from what is left, and starts nobody either."""
    fleet, first, second, third = moving()
    fleet.seconds = 6.5
    fleet.cluster.set_goal(Goal(30, 10, (ClassShare("A", 1),)), fleet.now_ns)
    assert run_of(fleet).handover.is_pending
    assert sum(goal_users(fleet.assignment(each)) for each in (first, second, third)) <= 12
    hear(fleet, first, second, third)
    fleet.cluster.tick(fleet.now_ns)
    assert sum(goal_users(fleet.assignment(each)) for each in (first, second, third)) == 30


def test_edit_of_a_cluster_at_rest_waits_for_nobody() -> None:
    """It moves no user from one worker to another."""
    fleet, (first, second) = started(1, 2, users=12)
    fleet.seconds = 5
    for users in (40, 7, 20):
        fleet.cluster.set_goal(Goal(users, 10, (ClassShare("A", 1),)), fleet.now_ns)
        assert not run_of(fleet).handover.is_pending
        assert goal_users(fleet.assignment(first)) + goal_users(fleet.assignment(second)) == users
        fleet.seconds += 5


def test_worker_that_comes_back_with_nothing_waits_for_nobody() -> None:
    """The others run what they ran."""
    fleet, _ = started(1, 2, users=12)
    fleet.seconds = 5
    fleet.register(registration(2, progress=FENCED))
    assert not run_of(fleet).handover.is_pending


def test_move_is_followed_only_when_the_store_has_it() -> None:
    """A master that is started again would give the users back to who had them."""
    fleet, (first,) = started(1, users=12)
    kept: list[Callable[[], None]] = []
    bases: list[PlanBasis] = []

    def keep(basis: PlanBasis, done: Callable[[], None]) -> None:
        bases.append(basis)
        kept.append(done)

    run_of(fleet).on_planned = keep
    report_until(fleet, 5, first)
    second = fleet.join(registration(2))
    report_until(fleet, 6, first, second)
    hear(fleet, first, second)
    assert run_of(fleet).handover.is_pending
    kept.pop()()
    fleet.cluster.tick(fleet.now_ns)
    assert goal_users(fleet.assignment(second)) == 6
    assert [basis.is_held for basis in bases] == [True, False]


@pytest.mark.parametrize(("waited_s", "is_heard"), [(16.9, False), (17.1, True)])
def test_worker_that_is_heard_and_does_not_follow_is_not_waited_for_for_ever(
    waited_s: float, is_heard: bool
) -> None:
    """Its runner is blocked; all others would lack users for as long as that lasts."""
    assert LEASE_TTL_S + LEASE_REASSIGN_GRACE_S + BLOCKED_PATIENCE_S == 17
    fleet, (first,) = started(1)
    handover = Handover()
    handover.begin([first.key], at_us=0)
    handover.note_generation(1)
    handover.begin([first.key], at_us=9_000_000)
    handover.expire([first], at_us=round(waited_s * 1e6), lease_ttl_s=LEASE_TTL_S)
    assert handover.is_heard is is_heard
    assert fleet.cluster.membership.live() == [first]
