"""What it means for a run that a worker registers: by what it says, and by what was known of it. Pure."""

from __future__ import annotations

import enum

from locust_master.membership import Member
from locust_master.run import Run
from locust_protocol.v1 import assignment_pb2, master_service_pb2, report_pb2


class Arrival(enum.Enum):
    """How a member stands to the plan when it registers."""

    WITHOUT_SHARE = "a run goes on whose plan does not know it"
    IDLE = "it has a share and runs nothing of it"
    OTHER_RUNNERS = "it runs its share on other runners than before"
    UNCHANGED = "it runs its share, or there is none"


def arrival_of(
    member: Member,
    *,
    previous: Member | None,
    run: Run | None,
    request: master_service_pb2.RegisterRequest,
) -> Arrival:
    """Tells what has become of the share of a `member` that was `previous` before, if it was known."""
    if _is_without_share(member, run):
        return Arrival.WITHOUT_SHARE
    if is_new(previous) or not _runs_its_share(run, request.progress):
        return Arrival.IDLE
    if previous is not None and previous.runner_indices != member.runner_indices:
        return Arrival.OTHER_RUNNERS
    return Arrival.UNCHANGED


def is_new(previous: Member | None) -> bool:
    """True for a member that was not known before, or given up."""
    return previous is None or not previous.is_live


def is_other_process(member: Member, previous: Member | None) -> bool:
    """True when another process had the session before."""
    return previous is not None and previous.resume_token != member.resume_token


def tell_what_counts(
    response: master_service_pb2.RegisterResponse,
    member: Member,
    *,
    run: Run | None,
    request: master_service_pb2.RegisterRequest,
) -> None:
    """Adds to the answer what is known of the statistics of a worker that has some of this run."""
    if run is None or request.progress.run_id != run.record.run_id:
        return
    response.stats_known = member.uid in run.ledger.applied or request.progress.last_sequence == 0
    response.acknowledged_sequence = run.ledger.stored.get(member.uid, 0)


def _is_without_share(member: Member, run: Run | None) -> bool:
    """True when a run goes on whose plan does not know the member."""
    return run is not None and run.lifecycle.is_active and member.key not in run.plan.by_worker


def _runs_its_share(run: Run | None, progress: report_pb2.AssignmentProgress) -> bool:
    """False when a run wants users and the worker says that it ended them, or never had any."""
    if run is None or not run.lifecycle.is_active:
        return True
    return progress.run_id == run.record.run_id and progress.phase == assignment_pb2.PHASE_RUN
