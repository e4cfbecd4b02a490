"""Workers that are cut off, lost or gone: what becomes of their users, and what the run says of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from locust_master.losses import LossKind, LossTerms, WorkerLossPolicy
from locust_master.membership import Member
from locust_master.planning.plan import planned_users
from locust_master.run import CHANGE_LEAD_US, Run
from locust_master.run_summary import loss_sentences
from locust_master.run_watch import NO_WORKER_LIMIT_S, Happening
from locust_protocol.v1 import assignment_pb2
from tests.master.cluster_builders import (
    FENCED,
    LEASE_TTL_S,
    RUNNING,
    Fleet,
    goal_users,
    registration,
    report,
    started,
)

USERS_END_S = 13.0
"""Seconds after a worker was heard last until its users can run at most: its lease, what its runners take to
notice, and what a request that is under way gets."""

GIVEN_UP_S = 12.5
"""Seconds of silence after which the lease and its grace are over."""


def run_of(fleet: Fleet) -> Run:
    assert fleet.cluster.run is not None
    return fleet.cluster.run


def lose(fleet: Fleet, staying: list[Member], *, after_s: float = GIVEN_UP_S) -> None:
    """Time passes in which only `staying` report."""
    fleet.seconds += after_s
    for member in staying:
        fleet.tell(member, report(run_of(fleet).ledger.applied.get(member.uid, 0) + 1))
    fleet.cluster.tick(fleet.now_ns)


def base_users(assignment: assignment_pb2.Assignment) -> int:
    return sum(goal.users.base_users for goal in assignment.goals)


def test_users_of_a_fenced_worker_come_back_one_after_the_other() -> None:
    """It runs nothing, so a share at once would be a burst beyond the spawn rate."""
    fleet, (_, second) = started(1, 2, users=10, spawn_rate=10)
    fleet.seconds = 8
    fleet.register(registration(2, progress=FENCED))
    told = fleet.assignment(fleet.cluster.membership.by_uid(second.uid) or second)
    assert base_users(told) == 0
    assert goal_users(told) == 5
    begin_us = 8_000_000 + CHANGE_LEAD_US
    assert [planned_users(run_of(fleet).plan, begin_us + ms * 1_000) for ms in (-1, 0, 199, 200, 400)] == [
        5,
        6,
        7,
        8,
        10,
    ]


def test_users_of_the_others_stay_when_a_fenced_worker_comes_back() -> None:
    """Only who ended starts again."""
    fleet, (first, _) = started(1, 2, users=10, spawn_rate=10)
    fleet.seconds = 8
    fleet.register(registration(2, progress=FENCED))
    assert base_users(fleet.assignment(first)) == 5


def test_worker_that_never_heard_of_the_run_starts_from_nothing() -> None:
    """It was away when the run began."""
    fleet, (first, _) = started(1, 2, users=10, spawn_rate=10)
    fleet.seconds = 8
    fleet.register(registration(1))
    again = fleet.cluster.membership.by_uid(first.uid)
    assert again is not None
    assert base_users(fleet.assignment(again)) == 0


def test_worker_that_comes_back_running_keeps_its_users() -> None:
    """A cut shorter than the lease stops nobody."""
    fleet, (first, _) = started(1, 2, users=10, spawn_rate=10)
    plan = run_of(fleet).plan
    fleet.seconds = 8
    fleet.register(registration(1, progress=RUNNING))
    assert run_of(fleet).plan is plan
    assert not run_of(fleet).losses
    assert first.key in plan.by_worker


def test_loss_is_over_when_the_worker_is_back_with_its_samples() -> None:
    """What it counted before is not missing any more; that it was away still shows."""
    fleet, (first, _) = started(1, 2, users=10)
    lose(fleet, [first])
    fleet.seconds = 20
    fleet.register(registration(2, progress=FENCED))
    (loss,) = run_of(fleet).losses
    assert (loss.missing_ms, loss.until_ms) == (0, 20_000)
    assert "back at 20 s, none of its samples missing" in loss.sentence()
    assert run_of(fleet).is_degraded


@pytest.mark.parametrize(
    ("ended_s", "missing_ms", "if_cut_off_ms"),
    [
        (1.3, 1_550, USERS_END_S * 1_000 + 250),
        (None, USERS_END_S * 1_000 + 250, 0),
        (3.0, USERS_END_S * 1_000 + 250, 0),
    ],
    ids=["connection ends with the process", "connection stays", "connection ends in silence"],
)
def test_samples_that_a_lost_worker_took_along_are_told(
    ended_s: float | None, missing_ms: float, if_cut_off_ms: float
) -> None:
    """A process that died with its connection recorded nothing after that; one that lived on may have."""
    fleet, (first, second) = started(1, 2, users=10)
    fleet.seconds = 1
    fleet.tell(second, report(1, requests=1))
    if ended_s is not None:
        fleet.seconds = ended_s
        fleet.cluster.stream_ended(second, fleet.now_ns)
    fleet.seconds = 1
    lose(fleet, [first])
    (loss,) = run_of(fleet).losses
    assert (loss.missing_ms, loss.if_cut_off_ms) == (missing_ms, if_cut_off_ms)


def test_loss_of_who_was_cut_off_is_withdrawn_when_it_comes_back() -> None:
    """It brings what it gathered: neither figure holds any more."""
    fleet, (first, second) = started(1, 2, users=10)
    fleet.cluster.stream_ended(second, fleet.now_ns)
    lose(fleet, [first])
    assert run_of(fleet).losses[0].if_cut_off_ms > run_of(fleet).losses[0].missing_ms > 0
    fleet.register(registration(2, progress=FENCED))
    (loss,) = run_of(fleet).losses
    assert (loss.at_most_ms, loss.until_ms) == (0, GIVEN_UP_S * 1_000)


def test_loss_is_not_withdrawn_when_another_process_comes_in_the_name_of_who_was_lost() -> None:
    """A clone of its machine has the same identity, and none of its samples."""
    fleet, (first, second) = started(1, 2, users=10)
    fleet.tell(second, report(1, requests=1))
    lose(fleet, [first])
    (before,) = run_of(fleet).losses
    fleet.register(registration(2))
    assert run_of(fleet).losses == [before]


def test_users_with_a_stop_timeout_may_gather_samples_until_that_is_over() -> None:
    """A worker that is fenced lets its users finish what they do."""
    fleet, (first, _) = started(1, 2, users=10)
    run_of(fleet).stop_timeout_ms = 30_000
    lose(fleet, [first])
    assert run_of(fleet).losses[0].missing_ms == USERS_END_S * 1_000 + 30_000 + 250


def test_stream_that_was_renewed_does_not_count_as_an_end() -> None:
    """Connections come and go; only the last end can be that of the process."""
    fleet, (first, second) = started(1, 2, users=10)
    fleet.cluster.stream_ended(second, fleet.now_ns)
    fleet.seconds = 1
    fleet.tell(second, report(1))
    lose(fleet, [first])
    assert run_of(fleet).losses[0].missing_ms == USERS_END_S * 1_000 + 250


def test_report_after_a_silence_does_not_say_that_all_was_reported() -> None:
    """It may have waited for a connection: what it holds is older than its arrival."""
    fleet, (first, second) = started(1, 2, users=10)
    fleet.seconds = 1
    fleet.tell(second, report(1))
    for sequence, seconds in ((2, 6.0), (3, 6.5)):
        fleet.seconds = seconds
        fleet.tell(second, report(sequence))
    lose(fleet, [first])
    assert run_of(fleet).losses[0].missing_ms == 5_500 + USERS_END_S * 1_000 + 250


def keeping(*members: int) -> tuple[Fleet, list[Member]]:
    fleet, joined = started(*members, users=10, spawn_rate=10)
    run_of(fleet).loss_terms = LossTerms(WorkerLossPolicy.KEEP)
    return fleet, joined


def test_kept_share_is_nobody_else_s_until_its_worker_comes_back() -> None:
    """`keep`: what the others run stays comparable."""
    fleet, (first, second) = keeping(1, 2)
    lose(fleet, [first])
    assert goal_users(fleet.assignment(first)) == 5
    fleet.register(registration(2, progress=FENCED))
    fleet.seconds += 1
    fleet.cluster.tick(fleet.now_ns)
    again = fleet.cluster.membership.by_uid(second.uid)
    assert again is not None
    told = fleet.assignment(again)
    assert (base_users(told), goal_users(told)) == (0, 5)


def test_many_that_come_back_at_once_are_one_change() -> None:
    """A plan for each would keep the master from acknowledging, and the leases of all would run out."""
    fleet, members = started(*range(1, 9), users=16, spawn_rate=10)
    fleet.seconds = 8
    generation = fleet.cluster.generation
    for number in range(1, 9):
        fleet.register(registration(number, progress=FENCED))
    assert fleet.cluster.generation == generation + 1
    told = [fleet.assignment(fleet.cluster.membership.by_uid(member.uid) or member) for member in members]
    assert sum(map(base_users, told)) == 0
    fleet.seconds = 8.1
    fleet.cluster.tick(fleet.now_ns)
    assert fleet.cluster.generation == generation + 2
    assert planned_users(run_of(fleet).plan, 8_100_000 + CHANGE_LEAD_US) == 2
    assert planned_users(run_of(fleet).plan, 10_000_000) == 16


def test_goal_is_not_reached_while_a_kept_share_is_not_run() -> None:
    """Half of the users are missing: nobody may say that all were spawned."""
    fleet, (first, _) = keeping(1, 2)
    lose(fleet, [first])
    fleet.seconds += 5
    following = run_of(fleet).ledger.applied.get(first.uid, 0) + 1
    fleet.tell(first, report(following, generation=fleet.cluster.generation, users=5))
    assert fleet.cluster.tick(fleet.now_ns) == ()
    assert "its users were not run by others" in loss_sentences(run_of(fleet))[0]


def test_edit_leaves_a_kept_share_to_its_worker() -> None:
    """An edit scales every share, the missing one too."""
    fleet, (first, _) = keeping(1, 2)
    lose(fleet, [first])
    fleet.cluster.set_goal(replace(run_of(fleet).goal, users=30), fleet.now_ns)
    assert goal_users(fleet.assignment(first)) == 15


def test_run_ends_when_more_workers_are_lost_than_are_allowed() -> None:
    """`fail`: a result that would lack a machine is not wanted."""
    fleet, (first, second, _) = started(1, 2, 3, users=10)
    run_of(fleet).loss_terms = LossTerms(WorkerLossPolicy.FAIL, allow_lost=1)
    lose(fleet, [first, second])
    assert fleet.cluster.tick(fleet.now_ns) == ()
    assert not run_of(fleet).is_degraded
    lose(fleet, [first])
    assert fleet.cluster.tick(fleet.now_ns) == (Happening.LOST_TOO_MUCH,)
    assert run_of(fleet).is_degraded


def test_goodbye_without_a_last_report_is_a_loss() -> None:
    """It ended before its reports were acknowledged: somebody must know."""
    fleet, (first, _) = started(1, 2, users=10)
    fleet.tell(first, report(1, requests=1))
    fleet.seconds = 2
    fleet.cluster.goodbye(first, "asked to end", fleet.now_ns)
    (loss,) = run_of(fleet).losses
    assert (loss.kind, loss.missing_ms) == (LossKind.LAST_REPORT, 2_250)


@pytest.mark.parametrize(("place", "at_s", "lost_ms"), [(0, -0.1, []), (1, 0.5, []), (1, 2.0, [2_250])])
def test_goodbye_without_any_report_is_a_loss_once_users_were_due(
    place: int, at_s: float, lost_ms: list[int]
) -> None:
    """The worker was told to run users and may have, although nothing was heard of them."""
    fleet, members = started(1, 2, users=10, spawn_rate=1)
    fleet.seconds = at_s
    fleet.cluster.goodbye(members[place], "asked to end", fleet.now_ns)
    assert [loss.missing_ms for loss in run_of(fleet).losses] == lost_ms


def test_run_without_workers_says_from_when_until_when() -> None:
    """Time without any load spoils a result, however politely the workers went."""
    fleet, (first,) = started(1, users=10)
    fleet.seconds = 3
    fleet.tell(first, report(1, final=True))
    fleet.cluster.goodbye(first, "asked to end", fleet.now_ns)
    assert run_of(fleet).is_degraded
    assert run_of(fleet).losses[0].sentence() == "no worker, so no load, from 3 s on"
    fleet.seconds = 8
    second = fleet.join(registration(2))
    assert run_of(fleet).without_workers_since_ms is not None
    fleet.tell(second, report(1, generation=fleet.cluster.generation))
    fleet.cluster.tick(fleet.now_ns)
    assert run_of(fleet).losses[0].sentence() == "no worker, so no load, from 3 s on until 8 s"
    assert run_of(fleet).without_workers_since_ms is None


def test_run_that_stays_without_workers_is_abandoned() -> None:
    """Nobody watches a headless run: it must not wait for ever."""
    fleet, (first,) = started(1, users=10)
    fleet.tell(first, report(1, final=True))
    fleet.cluster.goodbye(first, "asked to end", fleet.now_ns)
    fleet.seconds = NO_WORKER_LIMIT_S - 0.1
    assert fleet.cluster.tick(fleet.now_ns) == ()
    fleet.seconds = NO_WORKER_LIMIT_S
    assert fleet.cluster.tick(fleet.now_ns) == (Happening.ABANDONED,)


def test_lease_is_over_at_the_master_after_it_is_over_at_the_worker() -> None:
    """Else two workers would run one share."""
    assert GIVEN_UP_S > LEASE_TTL_S
