"""Reports: each counts once and is acknowledged when it is stored."""

from __future__ import annotations

import pytest

from locust_master.merging.errors import MalformedReport
from locust_protocol.v1 import (
    master_service_pb2,
    report_pb2,
)
from tests.master.cluster_builders import (
    RUN_ID,
    Fleet,
    acknowledged,
    registration,
    report,
    requests_counted,
    started,
    uid_of,
)


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


def test_late_reports_are_said_once_for_a_worker_and_a_run(caplog: pytest.LogCaptureFixture) -> None:
    """A worker that comes back from an older run may have many; one line is enough."""
    fleet, (first, second) = started(1, 2)
    for sequence in (5, 6, 7):
        fleet.tell(first, report(sequence, run_id=b"x" * 16))
    fleet.tell(second, report(5, run_id=b"x" * 16))
    said = [r.getMessage() for r in caplog.records if "late reports" in r.getMessage()]
    assert [text.split("worker=")[1].split()[0] for text in said] == ["w1", "w2"]


def test_malformed_report_counts_nothing_and_may_be_sent_again_right() -> None:
    """The ledger must not take a sequence for merged whose merge failed."""
    fleet, (member,) = started(1)
    bad = report(1, requests=3)
    bad.slices[0].requests.append(1)
    with pytest.raises(MalformedReport):
        fleet.tell(member, bad)
    assert requests_counted(fleet) == 0
    assert fleet.sink.stored == []
    assert fleet.sink.extras == []
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
