"""Makes a run of what was asked for and what the locustfile offers. Starts nothing."""

from __future__ import annotations

import os
import time

from locust_master.ledger import Ledger
from locust_master.lifecycle import Lifecycle
from locust_master.locustfile import Locustfile
from locust_master.merging.totals import RunTotals
from locust_master.planning.goal import Goal
from locust_master.run import Run, RunRecord
from locust_master.run_options import RunOptions
from locust_master.settings import MasterSettings
from locust_master.start_checks import check_host, chosen_shape, class_shares, shown_host


def check_start(locustfile: Locustfile, options: RunOptions) -> None:
    """Raises what `make_run` would, so that nobody waits for workers in vain."""
    manifest = locustfile.manifest
    chosen_shape(manifest, options.load_shape)
    check_host(manifest, class_shares(manifest, options.user_classes), options.host)


def make_run(settings: MasterSettings, locustfile: Locustfile, options: RunOptions) -> Run:
    """Returns a run that is READY. Raises `UsageError` naming the class, load shape or host that is amiss."""
    manifest = locustfile.manifest
    shares = class_shares(manifest, options.user_classes)
    load_shape = chosen_shape(manifest, options.load_shape)
    check_host(manifest, shares, options.host)
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
    )
    return Run(
        record=record,
        goal=Goal(0 if load_shape else options.users, options.spawn_rate, shares),
        deadline_us=None if options.run_time_s is None else round(options.run_time_s * 1e6),
        totals=RunTotals(),
        ledger=Ledger(record.run_id),
        lifecycle=Lifecycle(),
        stop_timeout_ms=round(settings.stop_timeout_s * 1000),
        loss_terms=settings.loss_terms,
    )
