"""What a master prints of its run: tables to stderr, as it goes and at the end; at the end JSON to stdout."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from locust_master.cluster import Cluster
from locust_master.outputs import console
from locust_master.outputs.json import stats_json
from locust_master.outputs.report import make_report
from locust_master.run import Run
from locust_master.settings import MasterSettings
from locust_master.summaries import users_by_class
from locust_protocol.v1 import report_pb2

PRINT_EVERY_S = 2.0
"""Seconds between two tables."""

NO_TERMINAL_COLUMNS = 130
"""Columns of a table that goes to a pipe or a file."""


async def print_progress_until(ended: asyncio.Event, settings: MasterSettings, cluster: Cluster) -> None:
    """Prints a progress line and the statistics every 2 s until the run ended."""
    while not ended.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(PRINT_EVERY_S):
                await ended.wait()
        if not settings.only_summary and cluster.run is not None and not ended.is_set():
            _print_progress(cluster.run, cluster)


def _print_progress(run: Run, cluster: Cluster) -> None:
    report = make_report(run, now_ns=time.monotonic_ns())
    now_s = time.monotonic()
    silent_s = {
        member.name: now_s - member.heard_s
        for member in cluster.membership.live()
        if member.state(now_s) == report_pb2.WORKER_STATE_MISSING
    }
    line = console.progress_line(
        report,
        state=run.lifecycle.state.value,
        users=sum(users_by_class(cluster).values()),
        target_users=run.goal.users,
        workers=len(cluster.membership.live()),
        waiting=console.waiting_for(silent_s),
    )
    table = console.statistics_table(report, width=_name_width(), current=True)
    _to_stderr("\n".join([line, *table, ""]))


def print_summary(settings: MasterSettings, run: Run, *, lacking: Sequence[str] = ()) -> None:
    """Prints the final tables, and the final statistics as JSON where that was asked for.

    `lacking` are sentences about what is missing in them, beside the losses of the run.
    """
    report = make_report(run, now_ns=time.monotonic_ns())
    report = replace(report, losses=(*report.losses, *lacking))
    _to_stderr("\n".join(console.summary(report, width=_name_width())))
    if settings.json:
        print(stats_json(report), flush=True)


def _name_width() -> int:
    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:  # it is none, or it was closed
        columns = NO_TERMINAL_COLUMNS
    return console.name_width(columns)


def _to_stderr(text: str) -> None:
    """Prints; a reader or a terminal that has gone is no reason to end a run."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)
