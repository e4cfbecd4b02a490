"""The course of a run: when its goal is reached, and when it is over."""

from __future__ import annotations

import pytest

from locust_master.cluster import Happening
from locust_master.lifecycle import RunState
from locust_master.run_watch import FINAL_GRACE_S
from locust_protocol.v1 import (
    assignment_pb2,
    bundle_pb2,
    master_service_pb2,
)
from tests.master.cluster_builders import (
    RUN_ID,
    Fleet,
    make_run,
    manifest_of,
    report,
    requests_counted,
    started,
)


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


def test_run_without_any_worker_left_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """It may go on when one comes, so it does not stop; but nobody must take the silence for the target's."""
    fleet, (first, second) = started(1, 2)
    fleet.cluster.goodbye(first, "", fleet.now_ns)
    assert "no worker is left" not in caplog.text
    fleet.seconds = 1
    fleet.cluster.goodbye(second, "", fleet.now_ns)
    assert "no worker is left" in caplog.text


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
