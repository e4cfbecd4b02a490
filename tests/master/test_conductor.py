"""Conducting runs: order, exclusion, and what a blocking listener may and may not hold up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from locust_master.conductor import ShapeGoal
from locust_master.lifecycle import RunState
from locust_master.membership import Member
from locust_master.refusals import Refused
from locust_master.run_options import RunOptions
from locust_protocol.process.errors import UsageError
from locust_protocol.runner.v1 import link_pb2
from locust_protocol.v1 import manifest_pb2, snapshot_pb2
from tests.master.master_builders import Master, running_master
from tests.support.wait import wait_until_async

STARTING, SPAWNED = link_pb2.RUN_MOMENT_STARTING, link_pb2.RUN_MOMENT_SPAWNED
STOPPING, STOPPED = link_pb2.RUN_MOMENT_STOPPING, link_pb2.RUN_MOMENT_STOPPED
RESET = link_pb2.RUN_MOMENT_RESET
QUICK = RunOptions(users=1, spawn_rate=100)


@pytest.fixture
async def master(tmp_path: Path) -> AsyncIterator[Master]:
    async with running_master(tmp_path) as running:
        yield running


async def wait_moments(master: Master, *wanted: int) -> None:
    await wait_until_async(
        lambda: tuple(master.locustfile.host.moments) == wanted,
        deadline_s=10,
        describe=lambda: f"moments {wanted}, are {master.locustfile.host.moments}",
    )


async def wait_state(master: Master, state: RunState) -> None:
    await wait_until_async(
        lambda: master.cluster.state is state,
        deadline_s=10,
        describe=lambda: f"{state}, is {master.cluster.state}",
    )


async def started(master: Master, options: RunOptions = QUICK) -> Member:
    """A run whose only worker reached its goal."""
    member = master.join()
    await master.conductor.start(options, actor="me")
    master.beat(member, users=options.users)
    await wait_state(master, RunState.RUNNING)
    return member


def event_kinds(master: Master) -> list[int]:
    assert master.cluster.run is not None
    return [event.kind for event in master.cluster.run.events.events]


async def test_run_goes_through_its_moments_in_locust_s_order(master: Master) -> None:
    """Listeners rely on it."""
    member = await started(master)
    await wait_moments(master, STARTING, SPAWNED)
    run = await master.conductor.stop(actor="me")
    master.deliver(member, run, 1, final=True)
    async with asyncio.timeout(10):
        await master.conductor.run_ended.wait()
    assert master.locustfile.host.moments == [STARTING, SPAWNED, STOPPING, STOPPED]
    assert event_kinds(master) == [
        snapshot_pb2.RUN_EVENT_KIND_STARTED,
        snapshot_pb2.RUN_EVENT_KIND_SPAWNED,
        snapshot_pb2.RUN_EVENT_KIND_STOPPING,
        snapshot_pb2.RUN_EVENT_KIND_STOPPED,
    ]


async def test_listeners_see_the_numbers_of_their_moment(master: Master) -> None:
    """A test_stop listener that checks the statistics must find the last report in them."""
    member = await started(master)
    await wait_moments(master, STARTING, SPAWNED)
    assert master.cluster.run is not None
    master.deliver(member, master.cluster.run, 1)
    run = await master.conductor.stop(actor="me")
    master.deliver(member, run, 2, final=True)
    async with asyncio.timeout(10):
        await master.conductor.run_ended.wait()
    assert master.locustfile.host.requests_seen == [0, 0, 1, 2]


async def test_start_is_refused_while_a_run_goes_on(master: Master) -> None:
    """There is one run at a time."""
    await started(master)
    with pytest.raises(Refused, match="a run is running"):
        await master.conductor.start(QUICK, actor="me")


async def test_start_without_worker_touches_nothing(master: Master) -> None:
    """No listener runs for a test that never starts."""
    with pytest.raises(Refused, match="no worker"):
        await master.conductor.start(QUICK, actor="me")
    assert master.locustfile.host.moments == []
    assert master.cluster.state is RunState.READY
    assert list(master.settings.run_dir.iterdir()) == []


async def test_wishes_about_no_run_are_refused(master: Master) -> None:
    """Each says what to do instead."""
    for wish in (
        master.conductor.stop(actor="me"),
        master.conductor.edit(users=1, spawn_rate=None, actor="me"),
        master.conductor.reset_statistics(actor="me"),
    ):
        with pytest.raises(Refused):
            await wish
    with pytest.raises(Refused):
        master.conductor.mark("x", actor="me")
    await master.conductor.stop_if_active(actor="me")


async def test_edit_sends_the_run_back_to_spawning(master: Master) -> None:
    """Until the new goal is reached; what is not named stays."""
    await started(master)
    run = await master.conductor.edit(users=7, spawn_rate=None, actor="ann")
    assert (run.goal.users, run.goal.spawn_rate) == (7, 100)
    assert master.cluster.state is RunState.SPAWNING
    assert run.last_actor == "ann"
    with pytest.raises(UsageError):
        await master.conductor.edit(users=-1, spawn_rate=None, actor="ann")


async def test_run_time_stops_the_run_even_when_somebody_else_does_at_the_same_time(master: Master) -> None:
    """Neither of the two may take the clock down."""
    master.locustfile.host.may_go_on.set()
    member = await started(master, RunOptions(users=1, spawn_rate=100, run_time_s=3_600))
    await wait_moments(master, STARTING, SPAWNED)
    master.locustfile.host.may_go_on.clear()
    assert master.cluster.run is not None
    master.cluster.run.deadline_us = 0
    await wait_moments(master, STARTING, SPAWNED, STOPPING)
    stops = [asyncio.create_task(master.conductor.stop_if_active(actor="me")) for _ in range(2)]
    refused = asyncio.create_task(master.conductor.stop(actor="me"))
    await asyncio.sleep(0)
    master.locustfile.host.may_go_on.set()
    await asyncio.gather(*stops)
    with pytest.raises(Refused):
        await refused
    assert master.cluster.run is not None
    master.deliver(member, master.cluster.run, 1, final=True)
    async with asyncio.timeout(10):
        await master.conductor.run_ended.wait()
    assert master.locustfile.host.moments.count(STOPPING) == 1


async def test_start_right_after_the_last_report_waits_for_the_run_before_to_be_finished(
    master: Master,
) -> None:
    """Else the store of the new run would be closed with the end of the old one."""
    member = await started(master)
    await wait_moments(master, STARTING, SPAWNED)
    first = await master.conductor.stop(actor="me")
    master.locustfile.host.may_go_on.clear()
    master.deliver(member, first, 1, final=True)
    await wait_state(master, RunState.STOPPED)
    second = asyncio.create_task(master.conductor.start(QUICK, actor="me"))
    await asyncio.sleep(0)
    master.beat(member)
    master.locustfile.host.may_go_on.set()
    run = await second
    assert run is not first
    assert master.locustfile.host.moments == [STARTING, SPAWNED, STOPPING, STOPPED, STARTING]
    assert not master.conductor.run_ended.is_set()
    assert len(list(master.settings.run_dir.glob("*"))) >= 2


async def test_every_event_reaches_the_store_whoever_noted_it(master: Master) -> None:
    """Workers that join and go stand beside edits on the run's timeline."""
    member = await started(master)
    assert master.cluster.run is not None
    assert master.conductor.writer is not None
    told: list[int] = []
    kept = master.cluster.run.events.on_added
    assert kept == master.conductor.writer.add_event
    master.cluster.run.events.on_added = lambda event: told.append(event.kind)
    master.join(2)
    master.cluster.goodbye(member, "asked", master.cluster.run.record.start_ns)
    master.conductor.mark("here", actor="me")
    assert told == [
        snapshot_pb2.RUN_EVENT_KIND_WORKER_JOINED,
        snapshot_pb2.RUN_EVENT_KIND_WORKER_LEFT,
        snapshot_pb2.RUN_EVENT_KIND_MARK,
    ]


async def test_reset_stats_resets_once_when_the_first_goal_is_reached(tmp_path: Path) -> None:
    """Statistics of the ramp are not wanted; those before a later edit are."""
    async with running_master(tmp_path, "--reset-stats") as master:
        member = await started(master)
        await wait_moments(master, STARTING, SPAWNED, RESET)
        await master.conductor.edit(users=2, spawn_rate=None, actor="me")
        master.beat(member, users=2)
        await wait_moments(master, STARTING, SPAWNED, RESET, SPAWNED)
        assert master.cluster.run is not None
        assert master.cluster.run.stats_epoch == 2


async def test_load_shape_sets_the_users_and_nobody_else_does(master: Master) -> None:
    """An edit would be undone a second later."""
    master.locustfile.manifest.load_shapes.append(manifest_pb2.LoadShape(name="Steps"))
    master.join()
    run = await master.conductor.start(RunOptions(users=5), actor="me")
    assert run.goal.users == 0
    await master.conductor.follow_shape(ShapeGoal(3, 10, ()))
    await master.conductor.follow_shape(ShapeGoal(3, 10, ()))
    assert run.goal.users == 3
    assert event_kinds(master).count(snapshot_pb2.RUN_EVENT_KIND_STAGE) == 1
    with pytest.raises(Refused, match="load shape Steps"):
        await master.conductor.edit(users=1, spawn_rate=None, actor="me")


@pytest.mark.parametrize("goal", [ShapeGoal(3, 0, ()), ShapeGoal(3, -1, ()), ShapeGoal(3, 1, ("X",))])
async def test_goal_of_a_shape_that_cannot_be_is_named_and_changes_nothing(
    goal: ShapeGoal, master: Master
) -> None:
    """User code must not take the master down."""
    master.locustfile.manifest.load_shapes.append(manifest_pb2.LoadShape(name="Steps"))
    master.join()
    run = await master.conductor.start(QUICK, actor="me")
    with pytest.raises(UsageError):
        await master.conductor.follow_shape(goal)
    assert run.goal.users == 0


async def test_run_is_stopped_while_a_reset_waits_for_a_disk_that_stalls(
    master: Master, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reset must not be taken back by a master that dies now; and load must not go on for that."""
    await started(master)
    is_written = asyncio.Event()

    async def wait_written(*_: object) -> None:
        await is_written.wait()

    monkeypatch.setattr(master.conductor.keeper, "wait_epoch_kept", wait_written)
    async with asyncio.TaskGroup() as tasks:
        reset = tasks.create_task(master.conductor.reset_statistics(actor="me"))
        run = await master.conductor.stop(actor="me")
        assert run.lifecycle.state is RunState.STOPPING
        assert run.stats_epoch == 1
        assert not reset.done()
        is_written.set()
    assert run.stats_epoch == 2


async def test_change_is_answered_when_it_is_written_however_long_that_takes(
    master: Master, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What was answered is never taken back; users end all the same, and a line says what is waited for."""
    await started(master)
    is_written = asyncio.Event()

    async def wait_written(*_: object) -> None:
        await is_written.wait()

    assert master.conductor.writer is not None
    monkeypatch.setattr(master.conductor.writer, "wait_facts", wait_written)
    monkeypatch.setattr("locust_master.resuming.keeper.STORE_PATIENCE_S", 0.01)
    async with asyncio.TaskGroup() as tasks:
        edit = tasks.create_task(master.conductor.edit(users=2, spawn_rate=None, actor="me"))
        stop = tasks.create_task(master.conductor.stop(actor="me"))
        await wait_state(master, RunState.STOPPING)
        await wait_until_async(
            lambda: caplog.text.count("the run store is slow") >= 3,
            deadline_s=10,
            describe=lambda: caplog.text,
        )
        assert not edit.done()
        assert not stop.done()
        is_written.set()
