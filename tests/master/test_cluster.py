"""The cluster: what each arrival, report, silence and wish leads to."""

from __future__ import annotations

import pytest

from locust_master.cluster import Happening, Refused
from locust_master.lifecycle import RunState
from locust_master.membership import Member
from locust_master.merging.errors import MalformedReport
from locust_master.planning.goal import ClassShare, Goal
from locust_master.refusals import TooMany
from locust_master.run_watch import FINAL_GRACE_S
from locust_protocol.process.errors import UsageError
from locust_protocol.schedule import Span, UserSchedule, final_users
from locust_protocol.v1 import (
    assignment_pb2,
    bundle_pb2,
    master_service_pb2,
    report_pb2,
    snapshot_pb2,
)
from locust_protocol.versions import IncompatibleProtocol
from tests.master.cluster_builders import (
    RUN_ID,
    START_NS,
    Fleet,
    make_run,
    manifest_of,
    registration,
    report,
    uid_of,
)


def started(*members: int, **options: float) -> tuple[Fleet, list[Member]]:
    """A fleet whose run began at run time zero, all assignments taken."""
    fleet = Fleet()
    joined = [fleet.join(registration(number)) for number in members]
    fleet.cluster.begin(make_run(**options))  # type: ignore[arg-type]
    for member in joined:
        fleet.commands(member)
    return fleet, joined


def goal_users(assignment: assignment_pb2.Assignment) -> int:
    """Users in the end of what a worker is told."""
    return sum(
        final_users(
            UserSchedule(
                goal.user_class,
                goal.users.base_users,
                tuple(Span(s.first_due_us, s.interval_us, s.count, s.change) for s in goal.users.spans),
            )
        )
        for goal in assignment.goals
    )


def acknowledged(fleet: Fleet, member: Member) -> list[tuple[bytes, int]]:
    return [
        (command.acknowledgement.run_id, command.acknowledgement.sequence)
        for command in fleet.commands(member)
        if command.HasField("acknowledgement")
    ]


def requests_counted(fleet: Fleet) -> int:
    assert fleet.cluster.run is not None
    return fleet.cluster.run.totals.total.sums.requests


def event_kinds(fleet: Fleet) -> list[int]:
    assert fleet.cluster.run is not None
    return [event.kind for event in fleet.cluster.run.events.events]


# ── joining ──────────────────────────────────────────────────────────────────────────────────────────────


def test_worker_that_joins_is_told_its_terms() -> None:
    """All that it needs to speak with this master, and nothing it would have to guess."""
    fleet = Fleet()
    response = fleet.register(registration(1, runners=3))
    assert response.protocol == 1
    assert response.session_id > 0
    assert response.master_epoch == fleet.cluster.master_epoch
    assert list(response.runner_indices) == [0, 1, 2]
    assert response.lease_ttl.ToNanoseconds() == 10 * 10**9
    assert response.report_interval.ToNanoseconds() == 10**9
    assert response.max_unacked_reports > 0
    assert response.max_report_bytes > 0
    assert response.clock.worker_sent_ns == 7
    assert response.clock.master_received_ns == START_NS
    assert fleet.sink.connected == ["w1"]


def test_worker_is_idle_before_a_locustfile_is_loaded_and_prepares_after() -> None:
    """A start is quick when everybody has loaded what will be run."""
    fleet = Fleet()
    member = fleet.join()
    assert fleet.assignment(member).phase == assignment_pb2.PHASE_IDLE
    settings = assignment_pb2.RunSettings(log_level="INFO")
    fleet.cluster.offer(manifest_of("A"), bundle_pb2.BundleReference(digest=b"d" * 32), settings)
    told = fleet.assignment(member)
    assert told.phase == assignment_pb2.PHASE_PREPARE
    assert told.bundle.digest == b"d" * 32
    assert told.settings == settings
    assert not told.run_id


def test_every_worker_hears_how_many_runners_there_are() -> None:
    """User code reads worker_count, which counts runners."""
    fleet = Fleet()
    first = fleet.join(registration(1, runners=2))
    fleet.join(registration(2, runners=3))
    assert fleet.assignment(first).cluster.runners == 5


@pytest.mark.parametrize(("lowest", "highest"), [(2, 3), (0, 0), (3, 2)])
def test_worker_of_another_protocol_is_refused_by_name(lowest: int, highest: int) -> None:
    """The sentence says who has to be upgraded."""
    request = registration()
    request.protocol_min, request.protocol_max = lowest, highest
    fleet = Fleet()
    with pytest.raises(IncompatibleProtocol, match="w1"):
        fleet.register(request)
    assert fleet.cluster.membership.all() == []


def test_worker_with_other_user_classes_of_its_own_is_refused() -> None:
    """It would be told to run classes that it does not have."""
    fleet = Fleet()
    fleet.cluster.offer(
        manifest_of("A", "B"), bundle_pb2.BundleReference(digest=b"d"), assignment_pb2.RunSettings()
    )
    with pytest.raises(Refused, match="worker w1 has user classes A, C, the master has A, B; start"):
        fleet.register(registration(own_classes=["C", "A"]))
    assert fleet.register(registration(own_classes=["B", "A"])).session_id


def broken(**fields: object) -> master_service_pb2.RegisterRequest:
    request = registration()
    for name, value in fields.items():
        setattr(request, name, value)
    return request


@pytest.mark.parametrize(
    "request_",
    [
        broken(worker_uid=b""),
        broken(worker_uid=b"x" * 17),
        broken(runners=0),
        broken(runners=2**32 - 1),
        broken(worker_name="n" * 101),
        broken(worker_name="\x1b[31mred"),
    ],
    ids=["no uid", "long uid", "no runner", "absurd runners", "long name", "escape in name"],
)
def test_worker_with_values_that_cannot_be_is_refused(
    request_: master_service_pb2.RegisterRequest,
) -> None:
    """Nothing is kept, and nothing is counted up to, of what a broken peer says."""
    fleet = Fleet()
    with pytest.raises(UsageError):
        fleet.register(request_)
    assert fleet.cluster.membership.all() == []


def test_full_cluster_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker asks again later, as this may pass."""
    monkeypatch.setattr("locust_master.membership.MAX_LIVE_MEMBERS", 1)
    fleet = Fleet()
    fleet.join(registration(1))
    with pytest.raises(TooMany):
        fleet.register(registration(2))


def test_only_workers_of_an_oversubscribed_host_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """One line on the master, and one on each worker that should not have been started."""
    fleet = Fleet()
    quiet = fleet.register(registration(1, host_id="a", cores=2))
    told = [fleet.register(registration(n, host_id="b", cores=2)).notices for n in (2, 3, 4)]
    assert list(quiet.notices) == []
    assert [len(notices) for notices in told] == [0, 1, 1]
    assert "start one locust-worker a machine" in told[1][0]
    assert len([r for r in caplog.records if "start one locust-worker" in r.getMessage()]) == 1


def test_worker_that_reconnects_is_no_new_one() -> None:
    """Nobody else's share moves, user code hears of no new runner."""
    fleet, (first, _) = started(1, 2)
    generation = fleet.cluster.generation
    plan = fleet.cluster.run.plan if fleet.cluster.run else None
    response = fleet.register(registration(1))
    assert response.session_id > first.session_id
    assert fleet.cluster.generation == generation
    assert fleet.cluster.run is not None
    assert fleet.cluster.run.plan is plan
    assert fleet.sink.connected == ["w1", "w2"]
    assert event_kinds(fleet) == []
    again = fleet.cluster.membership.by_uid(uid_of(1))
    assert again is not None
    assert goal_users(fleet.assignment(again)) == 5


# ── reports ──────────────────────────────────────────────────────────────────────────────────────────────


def test_report_is_acknowledged_after_it_is_stored_and_not_before() -> None:
    """Killing the master at any moment loses nothing acknowledged."""
    fleet, (member,) = started(1)
    fleet.tell(member, report(1, requests=3), commit=False)
    assert requests_counted(fleet) == 3
    fleet.cluster.mailbox(member).put_message(master_service_pb2.CommandsResponse().custom_message)
    assert acknowledged(fleet, member) == []
    fleet.sink.commit()
    assert acknowledged(fleet, member) == [(RUN_ID, 1)]


def test_stored_report_is_what_arrived() -> None:
    """A run can be rebuilt from its store alone."""
    fleet, (member,) = started(1)
    sent = report(1, requests=3)
    fleet.tell(member, sent)
    ((uid, sequence, payload),) = fleet.sink.stored
    assert (uid, sequence) == (uid_of(1), 1)
    assert report_pb2.Report.FromString(payload) == sent


def test_report_that_comes_twice_counts_once_and_is_acknowledged_twice() -> None:
    """The first acknowledgement may have been lost with its connection."""
    fleet, (member,) = started(1)
    for _ in range(2):
        fleet.tell(member, report(1, requests=3))
        assert acknowledged(fleet, member) == [(RUN_ID, 1)]
    assert requests_counted(fleet) == 3
    assert len(fleet.sink.stored) == len(fleet.sink.extras) == 1


def test_repeated_report_is_acknowledged_only_as_far_as_the_store_is() -> None:
    """It is merged already, but a crash would still lose it."""
    fleet, (member,) = started(1)
    fleet.tell(member, report(1, requests=1))
    fleet.tell(member, report(2, requests=1), commit=False)
    fleet.commands(member)
    fleet.tell(member, report(2, requests=1), commit=False)
    assert acknowledged(fleet, member) == [(RUN_ID, 1)]


def test_gap_asks_for_a_snapshot_and_counts_nothing() -> None:
    """What is missing is missing for good unless the worker sends all of it."""
    fleet, (member,) = started(1)
    fleet.tell(member, report(1, requests=3))
    fleet.commands(member)
    fleet.tell(member, report(3, requests=4))
    (command,) = fleet.commands(member)
    assert command.resync == master_service_pb2.Resync(run_id=RUN_ID, expected_sequence=2)
    assert requests_counted(fleet) == 3
    assert len(fleet.sink.stored) == len(fleet.sink.extras) == 1


def test_snapshot_replaces_what_the_worker_contributed() -> None:
    """It holds everything since the start of the run, so adding it would count twice."""
    fleet, (first, second) = started(1, 2)
    fleet.tell(first, report(1, requests=3))
    fleet.tell(second, report(1, requests=10))
    fleet.tell(first, report(4, requests=8, snapshot=True))
    assert requests_counted(fleet) == 18
    assert (RUN_ID, 4) in acknowledged(fleet, first)


def test_heartbeat_is_acknowledged_at_once_and_counts_nothing() -> None:
    """It renews the lease, also outside of a run."""
    fleet = Fleet()
    member = fleet.join()
    fleet.commands(member)
    beat = report(0, run_id=b"", generation=4)
    fleet.seconds = 1
    fleet.tell(member, beat)
    (command,) = fleet.commands(member)
    assert (command.acknowledgement.run_id, command.acknowledgement.sequence) == (b"", 0)
    assert command.acknowledgement.clock.master_received_ns == fleet.now_ns
    assert member.status.observed_generation == 4
    assert member.heard_s == fleet.now_ns / 1e9
    assert fleet.sink.extras == [("w1", beat)]
    assert fleet.sink.stored == []


@pytest.mark.parametrize("has_run", [False, True])
def test_late_report_of_another_run_is_acknowledged_and_dropped(has_run: bool) -> None:
    """The worker must get rid of it, and this run must not count it."""
    fleet, (member,) = started(1)
    if not has_run:
        fleet = Fleet()
        member = fleet.join()
        fleet.commands(member)
    fleet.tell(member, report(5, run_id=b"x" * 16, requests=9))
    assert acknowledged(fleet, member) == [(b"x" * 16, 5)]
    assert fleet.sink.stored == []
    assert not has_run or requests_counted(fleet) == 0


def test_malformed_report_counts_nothing_and_may_be_sent_again_right() -> None:
    """The ledger must not take a sequence for merged whose merge failed."""
    fleet, (member,) = started(1)
    bad = report(1, requests=3)
    bad.slices[0].requests.append(1)
    with pytest.raises(MalformedReport):
        fleet.tell(member, bad)
    assert requests_counted(fleet) == 0
    assert fleet.sink.stored == fleet.sink.extras == []
    fleet.tell(member, report(1, requests=3))
    assert requests_counted(fleet) == 3


def test_worker_that_comes_back_is_told_how_far_the_store_is() -> None:
    """It drops that and sends the rest again."""
    fleet, (member,) = started(1)
    fleet.tell(member, report(1, requests=1))
    fleet.tell(member, report(2, requests=1), commit=False)
    progress = report_pb2.AssignmentProgress(run_id=RUN_ID, last_sequence=3)
    response = fleet.register(registration(1, progress=progress))
    assert response.stats_known
    assert response.acknowledged_sequence == 1


def test_report_stored_after_its_worker_came_back_is_acknowledged_in_the_new_session() -> None:
    """Who waits for the acknowledgement is the worker, not the connection."""
    fleet, (member,) = started(1)
    fleet.tell(member, report(1, requests=1), commit=False)
    again = fleet.join(registration(1))
    fleet.commands(again)
    fleet.sink.commit()
    assert acknowledged(fleet, again) == [(RUN_ID, 1)]


@pytest.mark.parametrize(("last_sequence", "is_known"), [(0, True), (3, False)])
def test_contribution_that_the_master_does_not_have_is_asked_for(last_sequence: int, is_known: bool) -> None:
    """A master that started anew needs a snapshot, unless there is nothing to send."""
    fleet, _ = started(1)
    progress = report_pb2.AssignmentProgress(run_id=RUN_ID, last_sequence=last_sequence)
    response = fleet.register(registration(9, progress=progress))
    assert response.stats_known is is_known
    assert response.acknowledged_sequence == 0


# ── shares ───────────────────────────────────────────────────────────────────────────────────────────────


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


def test_worker_that_joins_mid_run_gets_a_share() -> None:
    """The others give it away; nobody runs more than the goal in the end."""
    fleet, (first,) = started(1, users=10)
    fleet.seconds = 5
    second = fleet.join(registration(2))
    assert [goal_users(fleet.assignment(member)) for member in (first, second)] == [5, 5]
    assert event_kinds(fleet) == [snapshot_pb2.RUN_EVENT_KIND_WORKER_JOINED]


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
    assert (loss.worker, loss.at_ms, loss.missing_ms) == ("w2", 13_000, 13_000)
    assert event_kinds(fleet) == [snapshot_pb2.RUN_EVENT_KIND_WORKER_LOST]


def test_run_without_any_worker_waits_for_the_next_that_joins() -> None:
    """Losing the last one is no end: the goal stands."""
    fleet, _ = started(1, users=10)
    fleet.seconds = 20
    fleet.cluster.tick(fleet.now_ns)
    assert fleet.cluster.state is RunState.SPAWNING
    assert goal_users(fleet.assignment(fleet.join(registration(2)))) == 10


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


def test_generation_grows_over_restarts_of_the_master() -> None:
    """A worker must not take a new master's first assignment for an old one."""
    fleet, _ = started(1)
    assert fleet.cluster.generation < Fleet().cluster.generation + 1_000
    assert Fleet().cluster.generation > 1_600_000_000_000


# ── the course of a run ──────────────────────────────────────────────────────────────────────────────────


def test_goal_is_reached_when_the_ramp_is_over_and_every_worker_says_so() -> None:
    """Neither the plan alone nor the workers alone are enough."""
    fleet, (first, second) = started(1, 2, users=10, spawn_rate=10)
    generation = fleet.cluster.generation
    fleet.tell(first, report(1, generation=generation, users=5))
    fleet.tell(second, report(1, generation=generation, users=5))
    assert fleet.cluster.tick(fleet.now_ns) == ()
    fleet.seconds = 2
    fleet.tell(second, report(2, generation=generation, users=4))
    assert fleet.cluster.tick(fleet.now_ns) == ()
    fleet.tell(second, report(3, generation=generation - 1, users=5))
    assert fleet.cluster.tick(fleet.now_ns) == ()
    fleet.tell(second, report(4, generation=generation, users=5))
    assert fleet.cluster.tick(fleet.now_ns) == (Happening.GOAL_REACHED,)
    assert fleet.cluster.state is RunState.RUNNING
    assert fleet.cluster.tick(fleet.now_ns) == ()


def test_users_that_ended_by_themselves_count_as_placed() -> None:
    """A locustfile that stops its users must not keep the run spawning for ever."""
    fleet, (member,) = started(1, users=2, spawn_rate=10)
    fleet.seconds = 1
    made = report(1, generation=fleet.cluster.generation, users=1)
    made.status.users[0].ended = 1
    fleet.tell(member, made)
    assert fleet.cluster.tick(fleet.now_ns) == (Happening.GOAL_REACHED,)


def test_run_of_a_load_shape_reaches_nothing_before_its_first_tick() -> None:
    """All of no users spawned is no news, and must not reset the statistics."""
    fleet = Fleet()
    member = fleet.join()
    fleet.cluster.begin(make_run(users=0, load_shape="Steps"))
    fleet.tell(member, report(1, generation=fleet.cluster.generation))
    fleet.seconds = 1
    assert fleet.cluster.tick(fleet.now_ns) == ()
    assert fleet.cluster.state is RunState.SPAWNING


@pytest.mark.parametrize(("seconds", "is_over"), [(59.9, False), (60.0, True)])
def test_run_time_ends_the_run(seconds: float, is_over: bool) -> None:
    """To the microsecond on the run's own clock."""
    fleet, (member,) = started(1, run_time_s=60)
    fleet.seconds = seconds
    fleet.tell(member, report(1))
    assert (Happening.DEADLINE in fleet.cluster.tick(fleet.now_ns)) is is_over


def drained(fleet: Fleet, at_s: float, stop_timeout_ms: int = 2_000) -> None:
    fleet.seconds = at_s
    fleet.cluster.drain(fleet.now_ns, stop_timeout_ms=stop_timeout_ms)


def test_drain_tells_workers_to_end_their_users_within_the_stop_timeout() -> None:
    """No goals any more, and the run's identity so that they can send its last report."""
    fleet, (member,) = started(1)
    drained(fleet, 3)
    told = fleet.assignment(member)
    assert told.phase == assignment_pb2.PHASE_DRAIN
    assert told.settings.stop_timeout_ms == 2_000
    assert told.run_id == RUN_ID
    assert not told.goals
    assert fleet.cluster.state is RunState.STOPPING


def test_run_is_drained_when_every_last_report_is_stored() -> None:
    """Not when it was merged: the summary must be what the store can show again."""
    fleet, (first, second) = started(1, 2)
    drained(fleet, 3)
    fleet.tell(first, report(1, final=True))
    assert fleet.cluster.tick(fleet.now_ns) == ()
    fleet.tell(second, report(1, requests=2, final=True), commit=False)
    assert fleet.cluster.tick(fleet.now_ns) == ()
    fleet.sink.commit()
    assert fleet.cluster.tick(fleet.now_ns) == (Happening.DRAINED,)
    fleet.cluster.end(fleet.now_ns)
    assert fleet.cluster.state is RunState.STOPPED
    assert fleet.cluster.run is not None
    assert fleet.cluster.run.losses == []
    fleet.seconds = 100
    assert fleet.cluster.run.now_us(fleet.now_ns) == 3_000_000


@pytest.mark.parametrize("goes", ["goodbye", "silence"])
def test_run_does_not_wait_for_the_last_report_of_who_went(goes: str) -> None:
    """Nobody would send it."""
    fleet, (first, second) = started(1, 2)
    fleet.seconds = 10
    fleet.tell(first, report(1))
    drained(fleet, 10)
    fleet.tell(first, report(2, final=True))
    if goes == "goodbye":
        fleet.cluster.goodbye(second, "", fleet.now_ns)
    else:
        fleet.seconds = 13
    assert fleet.cluster.tick(fleet.now_ns) == (Happening.DRAINED,)


def test_run_ends_without_a_last_report_after_the_grace_and_says_whose() -> None:
    """A worker that is alive but never delivers must not hold the run for ever."""
    fleet, (first, second) = started(1, 2)
    drained(fleet, 3)
    fleet.tell(first, report(1, final=True))
    for second_of_wait in range(4, 20):
        fleet.seconds = second_of_wait
        assert fleet.cluster.tick(fleet.now_ns) == ()
        fleet.tell(first, report(0, run_id=b""))
        fleet.tell(second, report(0, run_id=b""))
    fleet.seconds = 3 + 2 + FINAL_GRACE_S
    assert fleet.cluster.tick(fleet.now_ns) == (Happening.DRAINED,)
    fleet.cluster.end(fleet.now_ns)
    assert fleet.cluster.run is not None
    assert [loss.worker for loss in fleet.cluster.run.losses] == ["w2"]
    assert fleet.cluster.tick(fleet.now_ns) == ()


def test_workers_prepare_for_the_next_run_when_one_is_over() -> None:
    """They keep the locustfile loaded."""
    fleet, (member,) = started(1)
    fleet.cluster.offer(
        manifest_of("A"), bundle_pb2.BundleReference(digest=b"d"), assignment_pb2.RunSettings()
    )
    drained(fleet, 3)
    fleet.cluster.end(fleet.now_ns)
    assert fleet.assignment(member).phase == assignment_pb2.PHASE_PREPARE


def test_worker_lost_after_the_run_is_no_loss_of_it() -> None:
    """Its numbers are complete."""
    fleet, _ = started(1)
    drained(fleet, 3)
    fleet.cluster.end(fleet.now_ns)
    assert fleet.cluster.run is not None
    kept = list(fleet.cluster.run.losses)
    fleet.seconds = 60
    fleet.cluster.tick(fleet.now_ns)
    assert fleet.cluster.run.losses == kept
    assert fleet.cluster.membership.live() == []


def test_reset_begins_an_epoch_that_workers_are_told() -> None:
    """Samples under way count in the epoch in which they were recorded."""
    fleet, (member,) = started(1)
    fleet.tell(member, report(1, requests=3))
    fleet.commands(member)
    fleet.cluster.reset_statistics()
    assert fleet.assignment(member).stats_epoch == 2
    fleet.tell(member, report(2, requests=4))
    assert requests_counted(fleet) == 0


def test_close_all_ends_every_stream_with_the_last_command() -> None:
    """Workers learn that the master goes on purpose."""
    fleet, (first, second) = started(1, 2)
    leaving = master_service_pb2.MasterLeaving(reason="the master ended")
    fleet.cluster.close_all(master_service_pb2.CommandsResponse(master_leaving=leaving))
    for member in (first, second):
        assert fleet.commands(member)[-1].master_leaving == leaving
        assert fleet.commands(member) == []


def test_every_change_is_seen_by_those_who_watch() -> None:
    """Screens wait for the revision."""
    fleet = Fleet()
    seen = [fleet.cluster.revision.value]

    def has_grown() -> bool:
        seen.append(fleet.cluster.revision.value)
        return seen[-1] > seen[-2]

    member = fleet.join()
    assert has_grown()
    fleet.cluster.begin(make_run())
    assert has_grown()
    fleet.tell(member, report(1))
    assert has_grown()
    fleet.cluster.goodbye(member, "", fleet.now_ns)
    assert has_grown()
