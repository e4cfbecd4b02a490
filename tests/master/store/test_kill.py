"""Killing the master at any moment loses nothing that was acknowledged."""

from __future__ import annotations

import random
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from locust_master.merging.totals import RunTotals
from locust_master.store.reader import list_runs, load_totals
from locust_master.store.run_dir import run_files
from locust_protocol.v1 import control_service_pb2, report_pb2
from tests.master.agents import Agent

CHECKOUT = Path(__file__).parents[3]
REPORTS = 60


def make_reports(seed: int) -> list[tuple[Agent, report_pb2.Report]]:
    """Reports of three workers, with a snapshot among them, in the order in which they are sent."""
    draw = random.Random(seed)
    agents = [Agent(number) for number in (1, 2, 3)]
    sent: list[tuple[Agent, report_pb2.Report]] = []
    for turn in range(REPORTS):
        agent = draw.choice(agents)
        for _ in range(draw.randrange(1, 20)):
            error = "refused" if draw.random() < 0.1 else None
            agent.record(
                draw.randrange(100, 1_000_000), name=f"/{draw.randrange(5)}", second=turn, error=error
            )
        reports = agent.reports()
        if turn == REPORTS // 2:
            reports = agent.snapshot()
        for report in reports:
            agent.accept(report.sequence)
            sent.append((agent, report))
    return sent


def applied(sent: list[tuple[Agent, report_pb2.Report]]) -> RunTotals:
    totals = RunTotals()
    counted: dict[str, list[report_pb2.Report]] = {}
    for agent, report in sent:
        before = counted.setdefault(agent.key, [])
        totals.apply(agent.key, agent.name, report, earlier=partial(list, before))
        before.append(report)
    return totals


def facts(totals: RunTotals) -> dict[str, object]:
    """All that must be the same, by name, since numbers may differ."""
    return {
        "rows": {row.key.name: row.sums for row in totals.series if not row.sums.is_empty},
        "total": totals.total.sums,
        "counts": totals.all_epochs,
        "errors": {(row.kind.name, row.kind.message): row.count for row in totals.errors if row.count},
    }


@pytest.mark.parametrize(("kill_after", "fold_every_s"), [(25, 1_000.0), (25, 0.0), (50, 0.05)])
def test_totals_are_exact_after_the_writer_was_killed(
    tmp_path: Path, kill_after: int, fold_every_s: float
) -> None:
    """With and without folds under way; what was not acknowledged may be there or not, as a whole."""
    sent = make_reports(seed=kill_after)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.master.store.killed_writer", str(tmp_path), str(fold_every_s)],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    acknowledged: set[tuple[str, int]] = set()
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        for agent, report in sent:
            process.stdin.write(f"{agent.key} {report.sequence} {report.SerializeToString().hex()}\n")
        process.stdin.flush()
        while len(acknowledged) < kill_after:
            uid, sequence = process.stdout.readline().split()
            acknowledged.add((uid, int(sequence)))
    finally:
        process.kill()
        # Not communicate(): that leaves out what readline() has read ahead, and begins within a line.
        assert process.stdout is not None
        rest = process.stdout.read()
        process.stdout.close()
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.wait(timeout=30)
    # The kill may cut the last line: what has no end was not said.
    whole = [line for line in rest.splitlines(keepends=True) if line.endswith("\n")]
    acknowledged |= {(uid, int(sequence)) for uid, sequence in map(str.split, whole)}

    (path,) = run_files(tmp_path)
    found = facts(load_totals(path))
    print(f"{len(acknowledged)} of {len(sent)} reports were acknowledged")
    prefixes = [applied(sent[:count]) for count in range(len(acknowledged), len(sent) + 1)]
    assert any(found == facts(prefix) for prefix in prefixes)
    (stored,) = list_runs(tmp_path, 10)
    assert stored.outcome == control_service_pb2.RUN_OUTCOME_INTERRUPTED
