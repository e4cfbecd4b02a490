"""A cluster that another life of the master left: members keep their places, or are lost in time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from locust_master.lifecycle import RunState
from locust_master.losses import LossTerms
from locust_master.merging.totals import RunTotals
from locust_master.planning.goal import ClassShare, Goal, TimedGoal
from locust_master.planning.placement import WorkerCapacity
from locust_master.planning.plan import PlanBasis
from locust_master.resuming.restore import is_embedded, restored_members, restored_run
from locust_master.run import Run
from locust_master.store.facts import Progress, ReportMark, StoredMember, StoredRun, Written
from locust_protocol.labels import EMBEDDED_LABEL
from locust_protocol.v1 import (
    assignment_pb2,
    bundle_pb2,
    control_service_pb2,
    master_service_pb2,
    report_pb2,
    snapshot_pb2,
)
from tests.master.cluster_builders import (
    LEASE_TTL_S,
    RUN_ID,
    START_NS,
    Fleet,
    event_kinds,
    goal_users,
    registration,
    report,
    uid_of,
)

STORED_GENERATION = 1 << 60
AWAY_S = 5.0


def coming_back(number: int, *, runs: bool = True) -> master_service_pb2.RegisterRequest:
    phase = assignment_pb2.PHASE_RUN if runs else assignment_pb2.PHASE_DRAIN
    progress = report_pb2.AssignmentProgress(run_id=RUN_ID, phase=phase, last_sequence=9)
    return registration(number, progress=progress)


def stored_run(*requests: master_service_pb2.RegisterRequest, state: RunState) -> StoredRun:
    members = tuple(
        StoredMember(each.worker_uid, True, f"first{place}", "test", (2 * place, 2 * place + 1), each)
        for place, each in enumerate(requests)
    )
    keys = [each.uid.hex() for each in members]
    return StoredRun(
        path=Path("run.sqlite"),
        run_id=RUN_ID,
        options=control_service_pb2.RunOptions(users=8, spawn_rate=4),
        defaults=control_service_pb2.RunOptions(users=8, spawn_rate=4),
        settings=assignment_pb2.RunSettings(arguments=["-u", "8"]),
        bundle_digest=b"d",
        summary=snapshot_pb2.RunSummary(),
        written=Written(0, START_NS, "boot"),
        progress=Progress(
            start_ns=START_NS,
            generation=STORED_GENERATION,
            session_id=1 << 62,
            state=state,
            stats_epoch=1,
            deadline_us=None,
            stop_timeout_ms=0,
            stop_requested_us=1,
            last_actor="me",
        ),
        plan=PlanBasis(
            0, {}, Goal(8, 4.0, (ClassShare("A", 1),)), tuple(WorkerCapacity(key, 2) for key in keys)
        ),
        members=members,
        losses=(),
        reports={each.uid: ReportMark(9, False, 19_000) for each in members},
    )


def resumed(
    *requests: master_service_pb2.RegisterRequest,
    state: RunState = RunState.RUNNING,
    is_held: bool = False,
) -> tuple[Fleet, Run]:
    """A fleet at 25 s of a run that a master left at 20 s."""
    fleet, stored = Fleet(seconds=25), stored_run(*requests, state=state)
    stored = replace(stored, plan=replace(stored.plan, is_held=is_held))
    run = restored_run(
        stored,
        totals=RunTotals(),
        events=[snapshot_pb2.RunEvent(id=4, kind=snapshot_pb2.RUN_EVENT_KIND_STARTED)],
        bundle=bundle_pb2.BundleReference(digest=b"d"),
        settings=assignment_pb2.RunSettings(
            secret_arguments=[assignment_pb2.SecretArgument(name="token", value="s")]
        ),
        loss_terms=LossTerms(),
        start_ns=START_NS,
        now_ns=fleet.now_ns,
    )
    members = restored_members(stored, start_ns=START_NS, now_ns=fleet.now_ns, away_s=AWAY_S)
    fleet.cluster.resume(
        run,
        members,
        dead=[each for each in members if is_embedded(each)],
        generation=STORED_GENERATION,
        session_id=1 << 62,
        now_ns=fleet.now_ns,
    )
    return fleet, run


def test_worker_that_comes_back_takes_its_own_place() -> None:
    """Name, runner indices and users are what they were: no plan is made anew."""
    fleet, run = resumed(registration(1), registration(2))
    plan = run.plan
    fleet.seconds += 2
    response = fleet.register(coming_back(2))
    assert (response.worker_name, list(response.runner_indices)) == ("first1", [2, 3])
    assert (response.stats_known, response.acknowledged_sequence) == (True, 9)
    assert response.session_id > 1 << 62
    assert run.plan is plan
    member = fleet.cluster.membership.by_uid(uid_of(2))
    assert member is not None
    assignment = fleet.assignment(member)
    assert goal_users(assignment) == 4
    assert assignment.generation > STORED_GENERATION
    assert assignment.run_start_ns == START_NS
    assert [each.name for each in assignment.settings.secret_arguments] == ["token"]
    assert fleet.sink.connected == ["first1"]
    assert event_kinds(fleet) == [snapshot_pb2.RUN_EVENT_KIND_STARTED]


def test_users_that_were_to_move_do_so_when_all_have_heard_of_it_from_the_new_master() -> None:
    """The one before had told nobody to start them, and may not have been heard by who has them."""
    fleet, run = resumed(registration(1), registration(2), is_held=True)
    members = []
    for number in (1, 2):
        fleet.register(coming_back(number))
        member = fleet.cluster.membership.by_uid(uid_of(number))
        assert member is not None
        assert goal_users(fleet.assignment(member)) == 0
        members.append(member)
    for member in members:
        assert run.handover.is_pending
        fleet.tell(member, report(10, generation=fleet.cluster.generation))
    assert [goal_users(fleet.assignment(member)) for member in members] == [4, 4]


def test_worker_that_ended_its_users_meanwhile_gets_them_at_the_spawn_rate() -> None:
    """All at once would be a burst that nobody asked for."""
    fleet, run = resumed(registration(1), registration(2))
    fleet.register(coming_back(2, runs=False))
    at_us = run.now_us(fleet.now_ns)
    assert run.planned_users(at_us) <= 5
    assert run.planned_users(at_us + 2_000_000) == 8


def test_worker_that_does_not_come_is_silent_and_then_lost() -> None:
    """Its lease counts from the start of this master: it may be on its way."""
    fleet, run = resumed(registration(1), registration(2))
    fleet.register(coming_back(2))
    first = fleet.cluster.membership.by_uid(uid_of(1))
    assert first is not None
    assert first.state(fleet.now_ns / 1e9) == report_pb2.WORKER_STATE_MISSING
    fleet.seconds += LEASE_TTL_S
    fleet.cluster.tick(fleet.now_ns)
    assert run.losses == []
    fleet.seconds += 2.5
    fleet.cluster.tick(fleet.now_ns)
    assert "first0" in {loss.worker for loss in run.losses}


def test_watermark_waits_for_a_worker_that_has_not_come_back_yet() -> None:
    """It is about to report what it ran while the master was away, even if it had reported nothing before."""
    fleet, run = resumed(registration(1), registration(2))
    fleet.register(coming_back(2))
    member = fleet.cluster.membership.by_uid(uid_of(2))
    assert member is not None
    for sequence in (10, 11):
        fleet.seconds += 1
        fleet.tell(member, report(sequence))
    assert run.totals.complete_until_ms([member.key]) == 25_000
    assert run.totals.complete_until_ms([uid_of(1).hex(), member.key]) == 0


def test_embedded_worker_is_lost_with_its_master_and_its_samples_are_declared() -> None:
    """From its last report, 19 s, to what the store last says of its master, 20 s, and a little."""
    request = registration(1)
    request.labels[EMBEDDED_LABEL] = "1"
    fleet, run = resumed(request, registration(2))
    (loss,) = run.losses
    assert loss.worker == "first0"
    assert 1_000 < loss.missing_ms < 5_000
    assert [each.uid for each in fleet.cluster.membership.live()] == [uid_of(2)]
    assert run.planned_users(run.now_us(fleet.now_ns) + 10_000_000) == 8


def test_run_that_was_stopping_drains_its_workers_again() -> None:
    """Nobody is told to run."""
    fleet, run = resumed(registration(1), state=RunState.STOPPING)
    fleet.register(coming_back(1))
    member = fleet.cluster.membership.by_uid(uid_of(1))
    assert member is not None
    assert fleet.assignment(member).phase == assignment_pb2.PHASE_DRAIN
    assert run.stop_requested_us == run.now_us(fleet.now_ns)


def test_edit_before_the_death_is_the_goal_after_it() -> None:
    """The stored plan has the edit as what follows the goal before."""
    stored = stored_run(registration(1), state=RunState.RUNNING)
    edited = Goal(50, 4.0, (ClassShare("A", 1),))
    plan = replace(stored.plan, later=(TimedGoal(5_000_000, edited), TimedGoal(1 << 60, Goal(1, 1, ()))))
    run = restored_run(
        replace(stored, plan=plan),
        totals=RunTotals(),
        events=(),
        bundle=bundle_pb2.BundleReference(),
        settings=assignment_pb2.RunSettings(),
        loss_terms=LossTerms(),
        start_ns=START_NS,
        now_ns=START_NS + 6_000_000_000,
    )
    assert run.goal == edited
    assert [each.goal.users for each in run.later] == [1]
