"""Facts about run and workers as messages, and what a person should know now. No statistics.

Plain functions of the state at one moment; `now_ns` is the master's monotonic clock.
"""

from __future__ import annotations

from locust_master.cluster import Cluster
from locust_master.conductor import Conductor
from locust_master.lifecycle import RunState
from locust_master.oversubscription import oversubscribed_hosts
from locust_master.run_summary import loss_sentences, names_limited_sentence, recorded_summary
from locust_protocol.v1 import report_pb2, snapshot_pb2

INSECURE = "traffic is neither encrypted nor authenticated: use it in a network that you trust"


def complete_until_ms(cluster: Cluster, *, now_ns: int) -> int:
    """Run time up to which every live worker that is heard has reported; 0 without a run.

    With nobody left to wait for, and a run that goes on, that is now: what is not there is no load.
    """
    if cluster.run is None:
        return 0
    now_s = now_ns / 1e9
    live = cluster.membership.live()
    if not live and cluster.run.lifecycle.is_active:
        return max(cluster.run.totals.complete_until_ms(()), cluster.run.now_us(now_ns) // 1_000_000 * 1_000)
    heard = {member.key for member in live if member.state(now_s) != report_pb2.WORKER_STATE_MISSING}
    return cluster.run.totals.complete_until_ms(heard)


def run_summary(
    cluster: Cluster, conductor: Conductor, *, complete_until_ms: int, now_ns: int
) -> snapshot_pb2.RunSummary:
    """Returns the facts about the present run."""
    run = cluster.run
    if run is None:
        return snapshot_pb2.RunSummary(
            state=snapshot_pb2.RUN_STATE_READY, expected_workers=conductor.settings.expect_workers
        )
    summary = recorded_summary(run, now_ns=now_ns)
    at_us = run.now_us(now_ns)
    running = users_by_class(cluster)
    planned = run.planned_by_class(at_us) if run.lifecycle.is_active else {}
    summary.users = sum(running.values())
    summary.planned_users = sum(planned.values())
    summary.classes.extend(
        snapshot_pb2.ClassUsers(user_class=name, running=running.get(name, 0), planned=planned.get(name, 0))
        for name in {share.name: None for share in run.goal.classes} | planned | running
    )
    summary.complete_until_ms = complete_until_ms
    summary.expected_workers = conductor.settings.expect_workers
    return summary


def users_by_class(cluster: Cluster) -> dict[str, int]:
    """Returns how many users of each class run on all live workers."""
    users: dict[str, int] = {}
    for member in cluster.membership.live():
        for name, running in member.users:
            users[name] = users.get(name, 0) + running
    return users


def warnings_now(cluster: Cluster, conductor: Conductor) -> list[snapshot_pb2.Warning]:
    """Returns what a person should know now, the gravest first."""
    found: list[tuple[snapshot_pb2.WarningKind.ValueType, str]] = []
    run, live = cluster.run, cluster.membership.live()
    if run is not None:
        found += [(snapshot_pb2.WARNING_KIND_DEGRADED, text) for text in loss_sentences(run)]
        if conductor.writer is not None and conductor.writer.failed:
            text = f"the run store cannot be written: {conductor.writer.failed}"
            found.append((snapshot_pb2.WARNING_KIND_STORE, text))
    for member in live:
        if refusal := member.status.refusal:
            text = f"worker {member.name} refused its assignment: {refusal}"
            found.append((snapshot_pb2.WARNING_KIND_REFUSED, text))
    if run is not None and run.generator.is_strained and run.lifecycle.state is not RunState.STOPPED:
        sentences = run.generator.sentences(
            live_worker_keys={member.key for member in live}, median_us=run.median_us()
        )
        found += [(snapshot_pb2.WARNING_KIND_GENERATOR_BOUND, text) for text in sentences]
    if run is not None and run.totals.series.is_limited:
        found.append((snapshot_pb2.WARNING_KIND_NAMES_LIMITED, names_limited_sentence(run)))
    hosts = oversubscribed_hosts(live)
    found += [(snapshot_pb2.WARNING_KIND_OVERSUBSCRIBED, text) for text in hosts.values()]
    if conductor.settings.protection.is_insecure:
        found.append((snapshot_pb2.WARNING_KIND_INSECURE, INSECURE))
    return [snapshot_pb2.Warning(kind=kind, text=text) for kind, text in found]
