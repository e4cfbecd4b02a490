"""Writes losses down in a run: whose, from when, and how much may be missing. Pure."""

from __future__ import annotations

import logging

from locust_master.losses import Loss, LossKind, missing_ms
from locust_master.membership import Member
from locust_master.run import Run
from locust_protocol.limits import RUNNER_FLUSH_INTERVAL_S, SUSPECT_AFTER_S

logger = logging.getLogger(__name__)


def note_worker_lost(run: Run, member: Member, now_ns: int) -> None:
    """A worker's lease ran out: it is missing since it was heard last."""
    silent_ms = run.now_us(int(member.heard_s * 1e9)) // 1_000
    run.losses.append(Loss(member.name, silent_ms, _missing_ms(run, member, now_ns)))


def note_last_report_missing(run: Run, member: Member, now_ns: int) -> None:
    """A worker went, or the run ended, before all that it had was here."""
    logger.warning("the last report is missing worker=%s", member.name)
    lost_ms = _missing_ms(run, member, now_ns)
    run.losses.append(Loss(member.name, _at_ms(run, now_ns), lost_ms, LossKind.LAST_REPORT))


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


def _missing_ms(run: Run, member: Member, now_ns: int) -> int:
    return missing_ms(
        reported_s=max(member.reported_s, run.record.start_ns / 1e9) - RUNNER_FLUSH_INTERVAL_S,
        ended_s=member.stream_ended_s,
        now_s=now_ns / 1e9,
        died_within_s=SUSPECT_AFTER_S,
    )
