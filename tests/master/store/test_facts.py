"""What a run needs to be taken up again is read back as it was written, from a file of any release."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import fields
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from locust_master.lifecycle import RunState
from locust_master.losses import Loss, LossKind
from locust_master.planning.goal import ClassShare, Goal, TimedGoal
from locust_master.planning.placement import WorkerCapacity
from locust_master.planning.plan import PlanBasis
from locust_master.store import schema
from locust_master.store.facts import Facts, Progress, ReportMark, SecondUsers, StoredMember
from locust_master.store.plan_text import plan_basis, plan_text
from locust_master.store.reader import list_runs, load_events, load_totals
from locust_master.store.run_dir import lock_run_dir
from locust_master.store.unfinished import (
    close_interrupted,
    newest_if_interrupted,
    read_stored_run,
    unfinished_files,
)
from locust_master.store.writer import RunWriter
from locust_protocol.v1 import control_service_pb2, snapshot_pb2
from tests.master.agents import Agent
from tests.master.cluster_builders import make_run, registration
from tests.master.store.test_kill import facts as totals_facts
from tests.master.store.test_store import store, written_run

rates = st.floats(1e-6, 1e6, allow_nan=False)
names = st.text(min_size=1, max_size=5)
shares = st.builds(ClassShare, names, rates, st.integers(0, 5))
goals = st.builds(Goal, st.integers(0, 10**6), rates, st.lists(shares, max_size=3).map(tuple))
bases = st.builds(
    PlanBasis,
    st.integers(0, 2**60),
    st.dictionaries(names, st.dictionaries(names, st.integers(1, 9), max_size=3), max_size=3),
    goals,
    st.lists(st.builds(WorkerCapacity, names, st.integers(0, 9)), max_size=3).map(tuple),
    st.lists(st.builds(TimedGoal, st.integers(0, 2**60), goals), max_size=2).map(tuple),
    st.booleans(),
)

PROGRESS = Progress(
    start_ns=5,
    generation=7,
    session_id=9,
    state=RunState.SPAWNING,
    stats_epoch=2,
    deadline_us=None,
    stop_timeout_ms=3,
    stop_requested_us=4,
    last_actor="me",
)
PLAN = PlanBasis(0, {"w": {"A": 2}}, Goal(10, 2.5, (ClassShare("A", 1),)), (WorkerCapacity("w", 2),))
MEMBERS = (
    StoredMember(b"2" * 16, True, "w", "ipv4:1", (0, 3), registration(2)),
    StoredMember(b"1" * 16, False, "w#2", "ipv4:2", (1,), registration(1)),
)
LOSSES = (Loss("w", 5, 300, if_cut_off_ms=13_000), Loss("", 6, 0, LossKind.NO_WORKER, until_ms=9))


@given(bases)
def test_plan_is_read_back_exactly(basis: PlanBasis) -> None:
    """A plan that differs would start and stop users for nothing."""
    assert plan_basis(plan_text(basis)) == basis


def test_plan_has_no_field_that_the_text_does_not_know() -> None:
    """Whoever adds a nested part has to teach it to the text; plain fields go along by themselves."""
    known = {"start_us", "current", "goal", "workers", "later", "is_held"}
    assert {each.name for each in fields(PlanBasis)} == known


async def test_facts_are_read_back_as_written(tmp_path: Path) -> None:
    """All that another life of the master builds on."""
    run, agent = make_run(), Agent(1)
    writer = RunWriter.create(tmp_path, run.record)
    users = (SecondUsers(0, 3, 4), SecondUsers(1, 4, 4))
    writer.add_facts(Facts(progress=PROGRESS, plan=PLAN, members=MEMBERS, losses=LOSSES[:1], users=users[:1]))
    agent.record(1_000, second=1)
    await store(run, writer, agent, agent.reports(final=True))
    await writer.wait_facts(Facts(progress=PROGRESS, losses=LOSSES, users=users[1:]))
    stored = read_stored_run(writer.path)
    await writer.close()
    assert stored is not None
    assert (stored.progress, stored.plan, stored.members, stored.losses) == (
        PROGRESS,
        PLAN,
        MEMBERS,
        LOSSES,
    )
    (mark,) = stored.reports.values()
    assert (mark.sequence, mark.is_final) == (1, True)
    assert isinstance(mark, ReportMark)
    assert stored.options == run.record.options.to_message()
    history = load_totals(writer.path).history.between(0, 2_000)
    assert [(each.users, each.planned_users) for each in history] == [(3, 4), (4, 4)]


async def test_reopened_file_goes_on_exactly(tmp_path: Path) -> None:
    """Folds of the second life use the numbers of the first."""
    run, agent = make_run(), Agent(1)
    writer = RunWriter.create(tmp_path, run.record)
    for second in range(4):
        agent.record(1_000 * (second + 1), name=f"/{second}", second=second)
        agent.record(None, name="/0", second=second, error="refused")
        await store(run, writer, agent, agent.reports())
        if second == 1:
            await writer.finish(run)  # folds; what comes later is a second life's
            await writer.close()
            writer = RunWriter.resume(writer.path, run.record)
    await writer.finish(run)
    await writer.close()
    assert not writer.failed
    assert totals_facts(load_totals(writer.path)) == totals_facts(run.totals)
    assert [each.requests for each in load_totals(writer.path).history.between(0, 9_000)] == [2] * 4


async def test_unfinished_runs_are_closed_as_interrupted(tmp_path: Path) -> None:
    """However long ago their master died."""
    with lock_run_dir(tmp_path):
        run, agent = make_run(), Agent(1)
        writer = RunWriter.create(tmp_path, run.record)
        agent.record(1_000)
        await store(run, writer, agent, agent.reports())
        writer.add_event(snapshot_pb2.RunEvent(id=1, text="joined"))
        await writer.close()
        assert unfinished_files(tmp_path) == [writer.path]
        assert newest_if_interrupted(tmp_path) is None
        assert read_stored_run(writer.path) is None
        await asyncio.to_thread(close_interrupted, writer.path)
        assert unfinished_files(tmp_path) == []
        assert newest_if_interrupted(tmp_path) == writer.path
        (listed,) = list_runs(tmp_path, 10)
        assert listed.outcome == control_service_pb2.RUN_OUTCOME_INTERRUPTED
        assert listed.total.requests == 1
        assert [event.text for event in load_events(writer.path)] == ["joined"]


async def test_file_of_the_first_version_is_read_and_closed(tmp_path: Path) -> None:
    """An upgrade between two lives of a master loses no history."""
    writer = await written_run(tmp_path, make_run())
    await writer.close()
    with sqlite3.connect(writer.path) as connection:
        for table in ("progress", "plan", "members", "losses", "second_users"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("ALTER TABLE run DROP COLUMN defaults")
        for table in ("journal", "contributions"):
            connection.execute(f"ALTER TABLE {table} DROP COLUMN at_ms")
        connection.execute("UPDATE run SET outcome = ?", (control_service_pb2.RUN_OUTCOME_RUNNING,))
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    assert schema.VERSION > 1
    assert load_totals(writer.path).all_epochs.requests == 20
    assert read_stored_run(writer.path) is None
    assert unfinished_files(tmp_path) == [writer.path]
