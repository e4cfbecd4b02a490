"""Makes a run of what was asked for and what the locustfile offers. Starts nothing."""

from __future__ import annotations

import os
import time

from locust_master.ledger import Ledger
from locust_master.lifecycle import Lifecycle
from locust_master.locustfile import Locustfile
from locust_master.merging.totals import RunTotals
from locust_master.planning.goal import ClassShare, Goal, TimedGoal
from locust_master.planning.profile import stages_profile, step_profile
from locust_master.run import Run, RunRecord
from locust_master.run_options import RunOptions
from locust_master.settings import MasterSettings
from locust_master.start_checks import check_host, chosen_shape, class_shares, shown_host
from locust_protocol.v1 import manifest_pb2


def _load_shape(manifest: manifest_pb2.Manifest, options: RunOptions) -> str:
    """Stages and steps that somebody asked for win over a load shape that nobody named."""
    if options.load_shape is None and (options.stages or options.step_load is not None):
        return ""
    return chosen_shape(manifest, options.load_shape)


def _goals(options: RunOptions, shares: tuple[ClassShare, ...], *, has_shape: bool) -> tuple[TimedGoal, ...]:
    """Goals over the run's time, the first from its start on."""
    if options.stages:
        return stages_profile(_stages_us(options), shares)
    if options.step_load is not None:
        return step_profile(
            users=options.users,
            step_users=options.step_load.users,
            step_us=round(options.step_load.interval_s * 1e6),
            spawn_rate=options.spawn_rate,
            classes=shares,
        )
    return (TimedGoal(0, Goal(0 if has_shape else options.users, options.spawn_rate, shares)),)


def _deadline_us(options: RunOptions) -> int | None:
    ends = [] if options.run_time_s is None else [round(options.run_time_s * 1e6)]
    if options.stages:
        ends.append(sum(duration_us for duration_us, _ in _stages_us(options)))
    return min(ends, default=None)


def _stages_us(options: RunOptions) -> list[tuple[int, int]]:
    return [(round(stage.duration_s * 1e6), stage.users) for stage in options.stages]


def check_start(locustfile: Locustfile, options: RunOptions) -> None:
    """Raises what `make_run` would, so that nobody waits for workers in vain."""
    manifest = locustfile.manifest
    _load_shape(manifest, options)
    check_host(manifest, class_shares(manifest, options.user_classes), options.host)


def make_run(settings: MasterSettings, locustfile: Locustfile, options: RunOptions) -> Run:
    """Returns a run that is READY. Raises `UsageError` naming the class, load shape or host that is amiss."""
    manifest = locustfile.manifest
    shares = class_shares(manifest, options.user_classes)
    load_shape = _load_shape(manifest, options)
    check_host(manifest, shares, options.host)
    goals = _goals(options, shares, has_shape=bool(load_shape))
    run_settings = settings.run_settings()
    if options.host:
        run_settings.host = options.host
    run_settings.user_classes[:] = [share.name for share in shares]
    record = RunRecord(
        run_id=os.urandom(16),
        options=options,
        settings=run_settings,
        bundle=locustfile.bundle.reference,
        locustfile=", ".join(settings.locustfiles),
        load_shape=load_shape,
        host=shown_host(manifest, options.host),
        start_ns=time.monotonic_ns(),
        started_wall_ms=time.time_ns() // 1_000_000,
        defaults=settings.options,
    )
    return Run(
        record=record,
        goal=goals[0].goal,
        later=goals[1:],
        deadline_us=_deadline_us(options),
        totals=RunTotals(max_series=settings.max_names),
        ledger=Ledger(record.run_id),
        lifecycle=Lifecycle(),
        stop_timeout_ms=round(settings.stop_timeout_s * 1000),
        loss_terms=settings.loss_terms,
    )
