"""The clock's two loops: looking never waits for acting."""

from __future__ import annotations

import asyncio

import pytest

from locust_master import run_clock as run_clock_module
from locust_master.cluster import Happening
from locust_master.lifecycle import RunState
from locust_master.preparation import wait_prepared
from locust_master.refusals import Refused
from locust_master.revision import Revision
from locust_master.run import Run
from locust_master.run_clock import RunClock
from locust_protocol.v1 import assignment_pb2, bundle_pb2
from tests.master.cluster_builders import Fleet, make_run, manifest_of, registration, report
from tests.support.wait import wait_until_async


class Listener:
    """Acts on nothing, and takes its time for it."""

    def __init__(self) -> None:
        self.acted: list[Happening] = []
        self.may_go_on = asyncio.Event()

    async def __call__(self, happening: Happening, run: Run) -> None:
        self.acted.append(happening)
        await self.may_go_on.wait()


async def test_silent_worker_is_given_up_while_a_listener_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever user code does on the master, the cluster goes on."""
    monkeypatch.setattr(run_clock_module, "TICK_S", 0.001)
    fleet, listener = Fleet(), Listener()
    member = fleet.join()
    fleet.cluster.begin(make_run(run_time_s=1))
    # The virtual clock is far behind the real one, so both the run time and the lease are long over.
    member.heard_s = 1e12
    clock = asyncio.create_task(RunClock(fleet.cluster, listener).run())
    await wait_until_async(lambda: listener.acted, deadline_s=5, describe="the listener is called")
    member.heard_s = 0
    await wait_until_async(lambda: not member.is_live, deadline_s=5, describe="the worker is given up")
    assert not listener.may_go_on.is_set()
    clock.cancel()
    await asyncio.wait((clock,))


async def test_drained_run_ends_at_once_and_is_told_once() -> None:
    """Its end must not hang on listeners of what came before."""
    fleet, listener = Fleet(), Listener()
    fleet.join()
    fleet.cluster.begin(make_run())
    fleet.cluster.drain(fleet.now_ns, stop_timeout_ms=0)
    clock = RunClock(fleet.cluster, listener)
    clock.look(fleet.now_ns)
    assert fleet.cluster.state is RunState.STOPPING
    member = fleet.cluster.membership.live()[0]
    fleet.tell(member, report(1, final=True))
    clock.look(fleet.now_ns)
    assert fleet.cluster.state.value == RunState.STOPPED.value
    clock.look(fleet.now_ns)
    assert fleet.cluster.run is not None
    assert fleet.cluster.run.losses == []


async def test_revision_wakes_every_reader_that_waits() -> None:
    """Any number of screens watch."""
    revision = Revision()
    readers = [asyncio.create_task(revision.wait_after(0)) for _ in range(3)]
    await asyncio.sleep(0)
    revision.bump()
    async with asyncio.timeout(5):
        assert [await reader for reader in readers] == [1, 1, 1]


async def test_revision_answers_a_slow_reader_at_once() -> None:
    """It sees that there was a change, not how many."""
    revision = Revision()
    revision.bump()
    revision.bump()
    async with asyncio.timeout(5):
        assert await revision.wait_after(0) == 2


def offered() -> Fleet:
    fleet = Fleet()
    offer(fleet, digest=b"d")
    return fleet


def offer(fleet: Fleet, *, digest: bytes) -> None:
    bundle = bundle_pb2.BundleReference(digest=digest)
    fleet.cluster.offer(manifest_of("A"), bundle, assignment_pb2.RunSettings())


async def test_start_waits_until_every_worker_has_loaded_the_locustfile() -> None:
    """The first users must be due on all of them at once."""
    fleet = offered()
    members = [fleet.join(registration(number)) for number in (1, 2)]
    generation = fleet.cluster.generation
    waiting = asyncio.create_task(wait_prepared(fleet.cluster))
    fleet.tell(members[0], report(0, run_id=b"", generation=generation))
    await asyncio.sleep(0)
    assert not waiting.done()
    fleet.tell(members[1], report(0, run_id=b"", generation=generation))
    async with asyncio.timeout(5):
        await waiting


async def test_start_without_a_worker_says_what_to_start() -> None:
    """The first thing that a newcomer meets."""
    with pytest.raises(Refused, match="no worker is connected; start one with `locust-worker"):
        await wait_prepared(offered().cluster)


async def test_start_is_refused_when_a_worker_cannot_load_it() -> None:
    """By worker and reason, at once."""
    fleet = offered()
    member = fleet.join()
    beat = report(0, run_id=b"")
    beat.status.refused_generation = fleet.cluster.generation
    beat.status.refusal = "No module named 'x'"
    fleet.tell(member, beat)
    with pytest.raises(Refused, match="worker w1 cannot run it: No module named 'x'"):
        await wait_prepared(fleet.cluster)


async def test_refusal_of_a_locustfile_before_an_edit_does_not_count() -> None:
    """The edit may be what put it right."""
    fleet = offered()
    member = fleet.join()
    refusal = report(0, run_id=b"")
    refusal.status.refused_generation = broken = fleet.cluster.generation
    fleet.tell(member, refusal)
    with pytest.raises(Refused):
        await wait_prepared(fleet.cluster)
    offer(fleet, digest=b"edited")
    beat = report(0, run_id=b"", generation=fleet.cluster.generation)
    beat.status.refused_generation = broken
    fleet.tell(member, beat)
    async with asyncio.timeout(5):
        await wait_prepared(fleet.cluster)
    assert member.status.refused_generation == broken < fleet.cluster.generation


async def test_start_gives_up_on_workers_that_never_load_it_and_names_them() -> None:
    """A start must come to an end."""
    fleet = offered()
    fleet.join(registration(1))
    fleet.join(registration(2))
    with pytest.raises(Refused, match="w1, w2"):
        await wait_prepared(fleet.cluster, timeout_s=0.01)
