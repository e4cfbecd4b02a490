"""What each worker should be running, as a message: its share of the plan, or what to have loaded. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from locust_master.lifecycle import RunState
from locust_master.membership import Member
from locust_master.run import Run
from locust_protocol.v1 import assignment_pb2, bundle_pb2, manifest_pb2

MANY_WORKERS = 100
"""Workers up to which each is told of a change at once."""

PAUSE_PER_WORKER_S = 0.001
"""Seconds of pause between two assignments of a worker, for each worker: when 1,000 join one after the other,
each would else be told 1,000 times how many there are."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What workers may load before a run: the locustfile's manifest, its bundle, and how to load it.

    `bundle` None: nothing is loaded on the master yet.
    """

    manifest: manifest_pb2.Manifest = field(default_factory=manifest_pb2.Manifest)
    bundle: bundle_pb2.BundleReference | None = None
    settings: assignment_pb2.RunSettings = field(default_factory=assignment_pb2.RunSettings)


def assignment_pause_s(workers: int) -> float:
    """Returns the least time between two assignments of one of so many workers."""
    return workers * PAUSE_PER_WORKER_S if workers > MANY_WORKERS else 0.0


def make_assignment(
    member: Member, *, run: Run | None, offer: Offer, generation: int, runners: int, is_idle: bool = False
) -> assignment_pb2.Assignment:
    """Returns the assignment of `member`; `runners` is how many there are in the whole cluster.

    One that `is_idle` gets no users, whatever the plan says: a plan that starts from that is yet to be made.
    """
    cluster = assignment_pb2.ClusterView(runners=runners)
    if run is None or run.lifecycle.state in (RunState.READY, RunState.STOPPED):
        return assignment_pb2.Assignment(
            generation=generation,
            phase=assignment_pb2.PHASE_IDLE if offer.bundle is None else assignment_pb2.PHASE_PREPARE,
            bundle=offer.bundle,
            settings=offer.settings,
            cluster=cluster,
        )
    cluster.target_users = run.goal.users
    is_active = run.lifecycle.is_active
    settings = assignment_pb2.RunSettings()
    settings.CopyFrom(run.record.settings)
    settings.stop_timeout_ms = run.stop_timeout_ms
    return assignment_pb2.Assignment(
        generation=generation,
        run_id=run.record.run_id,
        phase=assignment_pb2.PHASE_RUN if is_active else assignment_pb2.PHASE_DRAIN,
        bundle=run.record.bundle,
        settings=settings,
        goals=run.goals_of(member) if is_active and not is_idle else (),
        run_start_ns=run.record.start_ns,
        deadline_us=run.deadline_us,
        stats_epoch=run.stats_epoch,
        cluster=cluster,
        spawn_rate=run.goal.spawn_rate,
    )
