"""Writes losses down in a run: whose, from when, and how much may be missing. Pure."""

from __future__ import annotations

import logging

from locust_master.losses import LastSigns, Loss, LossKind, Missing, missing
from locust_master.membership import Member
from locust_master.planning.plan import planned_placement
from locust_master.run import Run
from locust_protocol.limits import INTERRUPT_GRACE_S, LEASE_REASSIGN_GRACE_S, RUNNER_FLUSH_INTERVAL_S

logger = logging.getLogger(__name__)


def note_worker_lost(run: Run, member: Member, *, lease_ttl_s: float) -> None:
    """A worker's lease ran out, or it cannot come back: it is missing since it was heard last."""
    silent_ms = run.now_us(int(member.heard_s * 1e9)) // 1_000
    # Its users end when its runners know that the lease is over: later than where the agent says so.
    last_s = LEASE_REASSIGN_GRACE_S + run.stop_timeout_ms / 1_000 + INTERRUPT_GRACE_S
    lacks = _missing(run, member, users_until_s=member.heard_s + lease_ttl_s + last_s)
    run.losses.append(Loss(member.name, silent_ms, lacks.missing_ms, if_cut_off_ms=lacks.if_cut_off_ms))


def note_last_report_missing(run: Run, member: Member, now_ns: int) -> None:
    """A worker went, or the run ended, before all that it had was here."""
    logger.warning("the last report is missing worker=%s", member.name)
    lacks = _missing(run, member, users_until_s=now_ns / 1e9)
    run.losses.append(
        Loss(
            member.name,
            _at_ms(run, now_ns),
            lacks.missing_ms,
            LossKind.LAST_REPORT,
            if_cut_off_ms=lacks.if_cut_off_ms,
        )
    )


def owes_reports(run: Run, member: Member, now_ns: int) -> bool:
    """True when a worker took part in the run that goes on, and its last report is not here.

    Whoever was given users took part, even if no report of it has come yet.
    """
    if run.stopped_us is not None or now_ns < run.record.start_ns:
        return False
    if member.uid in run.ledger.applied:
        return run.ledger.owes(member.uid)
    return sum(planned_placement(run.plan, run.now_us(now_ns)).get(member.key, {}).values()) > 0


def note_workers(run: Run, now_ns: int, *, are_there: bool) -> None:
    """There is, or is not, a worker that can run users; said once each time that this changes."""
    if are_there:
        run.settle_losses("", LossKind.NO_WORKER, at_ms=_at_ms(run, now_ns))
    elif run.without_workers_since_ms is None:
        logger.warning("no worker is left, so nothing generates load: start one, or stop the run")
        run.losses.append(Loss("", _at_ms(run, now_ns), 0, LossKind.NO_WORKER))


def note_worker_there(run: Run, member: Member, now_ns: int) -> None:
    """A worker that was lost is back, and brings with it what was missing."""
    run.settle_losses(member.name, LossKind.WORKER, at_ms=_at_ms(run, now_ns))


def note_end(run: Run, now_ns: int) -> None:
    """The run is over, and with it the time without a worker."""
    run.settle_losses("", LossKind.NO_WORKER, at_ms=_at_ms(run, now_ns))


def _at_ms(run: Run, now_ns: int) -> int:
    return run.now_us(now_ns) // 1_000


def _missing(run: Run, member: Member, *, users_until_s: float) -> Missing:
    return missing(
        LastSigns(
            complete_s=max(member.reported_s, run.record.start_ns / 1e9) - RUNNER_FLUSH_INTERVAL_S,
            heard_s=member.heard_s,
            report_interval_s=member.report_interval_s,
            ended_s=member.stream_ended_s,
            users_until_s=users_until_s,
            is_dead=member.has_left,
        )
    )
