"""The run store: what is written is what is read, one master a folder, and a bad disk ends no run."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from pathlib import Path

import pytest

from locust_master.losses import Loss
from locust_master.merging.totals import RunTotals
from locust_master.run import Run
from locust_master.store import writer as writer_module
from locust_master.store.reader import list_runs, load_totals
from locust_master.store.run_dir import RunDirInUse, lock_run_dir
from locust_master.store.writer import RunWriter
from locust_protocol.process.errors import UsageError
from locust_protocol.v1 import control_service_pb2, report_pb2, snapshot_pb2
from tests.master.agents import Agent
from tests.master.cluster_builders import make_run
from tests.master.store.test_kill import facts
from tests.support.wait import wait_until_async


async def store(run: Run, writer: RunWriter, agent: Agent, reports: list[report_pb2.Report]) -> None:
    """Counts and stores reports and waits until they are acknowledged."""
    acknowledged: list[int] = []
    for report in reports:
        run.totals.apply(agent.key, agent.name, report)
        sequence = report.sequence
        writer.append(
            agent.uid,
            sequence,
            report.SerializeToString(),
            lambda sequence=sequence: acknowledged.append(sequence),
        )
        agent.accept(sequence)
    await wait_until_async(
        lambda: len(acknowledged) == len(reports), deadline_s=10, describe="reports acknowledged"
    )


def all_bytes(run_dir: Path) -> bytes:
    return b"".join(path.read_bytes() for path in run_dir.iterdir())


async def written_run(run_dir: Path, run: Run, *, seconds: int = 5) -> RunWriter:
    """A finished run of two workers with a reset in the middle."""
    writer = RunWriter.create(run_dir, run.record)
    run.events.on_added = writer.add_event
    one, two = Agent(1), Agent(2)
    for second in range(seconds):
        epoch = 1 + (second > 1)
        if epoch > run.totals.epoch:
            run.events.add(snapshot_pb2.RUN_EVENT_KIND_RESET, "statistics reset", at_ms=second * 1_000)
            run.totals.begin_epoch(epoch)
        for agent in (one, two):
            agent.record(1_000 * (second + 1), name="/a", second=second, epoch=epoch, response_bytes=10)
            agent.record(None, name="/b", second=second, epoch=epoch, error="refused")
            await store(run, writer, agent, agent.reports(final=second == seconds - 1))
    run.stopped_us = seconds * 1_000_000
    await writer.finish(run)
    return writer


async def test_finished_run_is_read_back_exactly(tmp_path: Path) -> None:
    """Totals, seconds and facts; the journal is folded by then."""
    run = make_run()
    writer = await written_run(tmp_path, run)
    await writer.close()
    with sqlite3.connect(writer.path) as connection:
        assert connection.execute("SELECT COUNT(*) FROM journal").fetchone() == (0,)
        assert connection.execute("SELECT SUM(requests) FROM seconds").fetchone() == (20,)
        assert connection.execute("SELECT name FROM workers ORDER BY name").fetchall() == [("w1",), ("w2",)]
    connection.close()
    loaded = load_totals(writer.path)
    assert loaded.epoch == 2
    assert facts(loaded) == facts(run.totals)
    assert [second.requests for second in loaded.history.between(0, 60_000)] == [4] * 5
    assert loaded.complete_until_ms() == run.totals.complete_until_ms() == 5_000
    assert loaded.total_rates(loaded.total) == pytest.approx((12 / 5, 6 / 5))


async def test_list_shows_how_runs_ended_newest_first(tmp_path: Path) -> None:
    """A file that says "running" is told from one whose master died."""
    with lock_run_dir(tmp_path):
        for started_s, losses in ((1, []), (2, [Loss("w1", 0, 300)])):
            run = make_run()
            run.record.started_wall_ms = started_s * 1_000
            run.losses = losses
            await (await written_run(tmp_path, run)).close()
        running = make_run()
        running.record.started_wall_ms = 3_000
        writer = RunWriter.create(tmp_path, running.record)
        writer.add_event(snapshot_pb2.RunEvent(id=1))
        await wait_until_async(lambda: len(list_runs(tmp_path, 10)) == 3, deadline_s=10, describe="3 runs")
        outcomes = [stored.outcome for stored in list_runs(tmp_path, 10)]
        await writer.close()
    assert outcomes == [
        control_service_pb2.RUN_OUTCOME_RUNNING,
        control_service_pb2.RUN_OUTCOME_DEGRADED,
        control_service_pb2.RUN_OUTCOME_COMPLETED,
    ]
    assert [stored.outcome for stored in list_runs(tmp_path, 2)] == [
        control_service_pb2.RUN_OUTCOME_INTERRUPTED,
        control_service_pb2.RUN_OUTCOME_DEGRADED,
    ]
    assert list_runs(tmp_path, 10)[2].total.requests == 12


async def test_reports_after_the_end_are_stored_too(tmp_path: Path) -> None:
    """A worker that was away at the end brings what it had."""
    run = make_run()
    writer = await written_run(tmp_path, run)
    late = Agent(3)
    late.record(4_000, second=2, epoch=2)
    await store(run, writer, late, late.reports())
    await writer.close()
    assert facts(load_totals(writer.path)) == facts(run.totals)


async def test_secrets_are_never_stored(tmp_path: Path) -> None:
    """Run files are handed around."""
    run = make_run()
    run.record.settings.secret_arguments.add(name="token", value="s3cr3t-value")
    await (await written_run(tmp_path, run)).close()
    assert b"s3cr3t-value" not in await asyncio.to_thread(all_bytes, tmp_path)


async def test_a_bad_disk_ends_no_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Reports are acknowledged all the same, and it is said once."""
    run = make_run()
    with caplog.at_level(logging.WARNING):
        writer = await written_run(tmp_path / "nowhere", run)
        await writer.close()
    assert "unable to open database file" in writer.failed
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


async def test_a_full_disk_in_the_middle_ends_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was stored before stays readable."""
    run = make_run()
    writer = RunWriter.create(tmp_path, run.record)
    agent = Agent(1)
    agent.record(1_000)
    await store(run, writer, agent, agent.reports())

    def fail(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(writer_module.RunFile, "write", fail)
    agent.record(2_000)
    await store(run, writer, agent, agent.reports())
    await writer.finish(run)
    await writer.close()
    assert writer.failed == "database or disk is full"
    assert load_totals(writer.path).total.sums.requests == 1


async def test_a_damaged_file_does_not_hide_the_others(tmp_path: Path) -> None:
    """A list of runs is of use as long as one can be read."""
    await (await written_run(tmp_path, make_run())).close()
    (tmp_path / "20990101T000000Z-00000000.sqlite").write_bytes(b"no database" * 1_000)
    assert len(await asyncio.to_thread(list_runs, tmp_path, 10)) == 1


def test_run_directory_belongs_to_one_master(tmp_path: Path) -> None:
    """Two masters would fill each other's history; the error names the folder and the process."""
    with (
        lock_run_dir(tmp_path / "runs"),
        pytest.raises(RunDirInUse, match=r"runs is in use by the master with process id \d+"),
        lock_run_dir(tmp_path / "runs"),
    ):
        pass
    with lock_run_dir(tmp_path / "runs"):
        pass


def test_run_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A clear line in place of a traceback."""
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="file/runs cannot be written"), lock_run_dir(tmp_path / "file/runs"):
        pass


def test_totals_of_an_empty_run_are_empty() -> None:
    """The comparison of these tests itself."""
    assert facts(RunTotals())["rows"] == {}
