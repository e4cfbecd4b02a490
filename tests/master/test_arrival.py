"""How a worker stands to the plan when it registers, by what it says and what was known of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from locust_master.arrival import Arrival, arrival_of, is_new, is_other_process
from locust_protocol.v1 import assignment_pb2, report_pb2
from tests.master.cluster_builders import RUN_ID, registration, started

RUN, DRAIN = assignment_pb2.PHASE_RUN, assignment_pb2.PHASE_DRAIN


@pytest.mark.parametrize(
    ("said_run", "said_phase", "expected"),
    [
        (RUN_ID, RUN, Arrival.UNCHANGED),
        (RUN_ID, DRAIN, Arrival.IDLE),  # it ended its users without an order
        (b"", RUN, Arrival.IDLE),
        (b"another run", RUN, Arrival.IDLE),
    ],
)
def test_known_worker_keeps_its_share_only_when_it_says_that_it_runs_it(
    said_run: bytes, said_phase: assignment_pb2.Phase.ValueType, expected: Arrival
) -> None:
    """Users that it ended come back one by one, so nobody may take it for one that runs them."""
    fleet, (member,) = started(1)
    request = registration(1, progress=report_pb2.AssignmentProgress(run_id=said_run, phase=said_phase))
    assert arrival_of(member, previous=member, run=fleet.cluster.run, request=request) is expected


def test_worker_that_was_given_up_runs_nothing_whatever_it_says() -> None:
    """Its share may be somebody else's by now."""
    fleet, (member,) = started(1)
    gone = replace(member, is_live=False)
    request = registration(1, progress=report_pb2.AssignmentProgress(run_id=RUN_ID, phase=RUN))
    assert is_new(gone)
    assert arrival_of(member, previous=gone, run=fleet.cluster.run, request=request) is Arrival.IDLE


def test_worker_that_the_plan_does_not_know_is_without_share_only_while_a_run_goes_on() -> None:
    """It waits until everybody who has to give users away was heard."""
    fleet, (member,) = started(1)
    newcomer = replace(member, uid=b"n" * 16)
    request = registration(2)
    assert arrival_of(newcomer, previous=None, run=fleet.cluster.run, request=request) is (
        Arrival.WITHOUT_SHARE
    )
    assert arrival_of(newcomer, previous=None, run=None, request=request) is Arrival.IDLE


def test_worker_with_other_runners_is_dealt_its_users_anew() -> None:
    """The share is by runners."""
    fleet, (member,) = started(1)
    request = registration(1, progress=report_pb2.AssignmentProgress(run_id=RUN_ID, phase=RUN))
    before = replace(member, runner_indices=(0, 1, 2))
    arrival = arrival_of(member, previous=before, run=fleet.cluster.run, request=request)
    assert arrival is Arrival.OTHER_RUNNERS


def test_other_process_is_told_by_its_token() -> None:
    """A clone says the same name and uid, and was never given that."""
    _, (member,) = started(1)
    assert not is_other_process(member, None)
    assert not is_other_process(member, member)
    assert is_other_process(member, replace(member, resume_token=b"somebody else"))
