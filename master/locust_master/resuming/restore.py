"""Makes a run and its members of what the store kept, as if the master had never been away.

Members come back as live and silent: their leases count from now, and each that registers again in time
takes its own place. Pure; `now_ns` is the monotonic clock of this life of the master.
"""

from __future__ import annotations

from collections.abc import Sequence

from locust_master.ledger import Ledger
from locust_master.lifecycle import Lifecycle, RunState
from locust_master.losses import LossTerms
from locust_master.membership import Member
from locust_master.merging.totals import RunTotals
from locust_master.planning.plan import plan_of
from locust_master.run import Run, RunRecord
from locust_master.run_events import EventLog
from locust_master.run_options import RunOptions
from locust_master.store.facts import StoredMember, StoredRun
from locust_protocol.labels import EMBEDDED_LABEL
from locust_protocol.v1 import assignment_pb2, bundle_pb2, snapshot_pb2

WRITTEN_EVERY_S = 1.5
"""Seconds between the last write of a master and its death, at most, on a disk that keeps up."""


def restored_run(
    stored: StoredRun,
    *,
    totals: RunTotals,
    events: Sequence[snapshot_pb2.RunEvent],
    bundle: bundle_pb2.BundleReference,
    settings: assignment_pb2.RunSettings,
    loss_terms: LossTerms,
    start_ns: int,
    now_ns: int,
) -> Run:
    """Returns the run; `settings` are the present master's, from which the secrets are taken."""
    progress, summary = stored.progress, stored.summary
    run_settings = assignment_pb2.RunSettings()
    run_settings.CopyFrom(stored.settings)
    run_settings.secret_arguments.extend(settings.secret_arguments)
    record = RunRecord(
        run_id=stored.run_id,
        options=RunOptions().overridden(stored.options),
        settings=run_settings,
        bundle=bundle,
        locustfile=summary.locustfile,
        load_shape=summary.load_shape,
        host=summary.host,
        start_ns=start_ns,
        started_wall_ms=summary.started_wall_ms,
        defaults=RunOptions().overridden(stored.defaults),
    )
    run = Run(
        record=record,
        goal=stored.plan.goal,
        deadline_us=progress.deadline_us,
        totals=totals,
        ledger=_ledger(stored),
        lifecycle=Lifecycle(progress.state),
        later=stored.plan.later,
        plan=plan_of(stored.plan),
        basis=stored.plan,
        stats_epoch=max(progress.stats_epoch, totals.epoch),
        events=EventLog.restored(events),
        losses=list(stored.losses),
        loss_terms=loss_terms,
        stop_timeout_ms=progress.stop_timeout_ms,
        last_actor=progress.last_actor,
    )
    if stored.plan.is_held:
        run.handover.begin(run.plan.by_worker, at_us=run.now_us(now_ns))
    totals.begin_epoch(run.stats_epoch)
    totals.resumed_ms = run.now_us(now_ns) // 1_000
    run.advance(run.now_us(now_ns))
    live = {member.uid.hex() for member in stored.members if member.is_live}
    for key in totals.worker_names:
        if key not in live:
            totals.release(key)
    for member in stored.members:
        if member.is_live:  # one that has not reported yet holds the watermark, too
            totals.expect(member.uid.hex(), member.name, at_ms=0)
    if progress.state is RunState.STOPPING:
        # Last reports are waited for anew: those who owe them are only now able to send them.
        run.stop_requested_us = run.now_us(now_ns)
    return run


def restored_members(stored: StoredRun, *, start_ns: int, now_ns: int, away_s: float) -> list[Member]:
    """Returns the members; one that ended with its master has the end of its connection noted."""
    return [_member(each, stored, start_ns=start_ns, now_ns=now_ns, away_s=away_s) for each in stored.members]


def is_embedded(member: Member) -> bool:
    """True for a worker that ends with its master."""
    return EMBEDDED_LABEL in member.request.labels


def _member(each: StoredMember, stored: StoredRun, *, start_ns: int, now_ns: int, away_s: float) -> Member:
    mark = stored.reports.get(each.uid)
    now_s = now_ns / 1e9
    member = Member(
        uid=each.uid,
        name=each.name,
        session_id=0,
        request=each.request,
        address=each.address,
        runner_indices=each.runner_indices,
        heard_s=now_s,
        reported_s=start_ns / 1e9 + (mark.at_ms / 1e3 if mark is not None else 0.0),
        is_live=each.is_live,
        is_awaited=each.is_live,
        gone_s=None if each.is_live else now_s,
    )
    if is_embedded(member):
        member.heard_s = min(now_s, member.reported_s)
        # The master wrote every second while it lived.
        member.stream_ended_s = min(now_s, now_s - away_s + WRITTEN_EVERY_S)
    return member


def _ledger(stored: StoredRun) -> Ledger:
    return Ledger(
        run_id=stored.run_id,
        applied={uid: mark.sequence for uid, mark in stored.reports.items()},
        stored={uid: mark.sequence for uid, mark in stored.reports.items()},
        finals={uid for uid, mark in stored.reports.items() if mark.is_final},
    )
