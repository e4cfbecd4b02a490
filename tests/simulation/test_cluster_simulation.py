"""The cluster keeps its promises whatever a seed does to it; and the laws that say so can be broken."""

from __future__ import annotations

import pytest

from locust_master.handover import Handover
from locust_master.ledger import Ledger, Verdict
from locust_master.merging.errors import MalformedReport
from locust_protocol.limits import MAX_PENDING_SLICES
from tests.simulation.laws import LawBroken
from tests.simulation.scenario import play
from tests.simulation.world import World, WorldSettings, quiet_loop

BLOCKS, SEEDS_IN_A_BLOCK = 4, 20
"""The more there are, the longer it takes: 0.15 s each. `make simulate` plays any number."""


@pytest.mark.parametrize("block", range(BLOCKS))
def test_cluster_keeps_its_laws_whatever_befalls_it(block: int) -> None:
    """Cuts, hangs, stops and deaths of everything, joins, leaves, edits and resets, in any order."""
    for seed in range(block * SEEDS_IN_A_BLOCK, (block + 1) * SEEDS_IN_A_BLOCK):
        play(seed)


def test_seed_says_all_that_happens() -> None:
    """Or a seed that breaks a law could not be played again."""
    first, second = play(7, seconds=10), play(7, seconds=10)
    assert first.diary == second.diary
    assert first.truth.samples == second.truth.samples


def test_history_is_true_to_the_second_when_clocks_are_hours_off() -> None:
    """A worker whose clock is an hour off is seen as one whose clock is right."""

    async def run(world: World) -> None:
        for runners in (1, 2, 3):
            world.join(runners=runners)
        await world.pass_time(1)
        world.start(users=9, spawn_rate=3, weights=(2, 1), run_time_s=None)
        await world.pass_time(15)
        assert world.laws.users_follow_the_plan() == ""
        world.master.stop()
        assert await world.wait_until(lambda: world.master.has_stopped, timeout_s=10)
        world.laws.all_is_counted()
        world.laws.seconds_are_true()

    with quiet_loop() as loop:
        loop.run_until_complete(run(World(loop, 1, WorldSettings(clock_offset_s=7_200, drift_ppm=100))))


def test_outage_of_minutes_loses_nothing_and_keeps_memory_bounded() -> None:
    """While the lease lasts users go on, and what they record is joined, not dropped."""
    outage_s = 2 * MAX_PENDING_SLICES

    async def run(world: World) -> None:
        worker = world.join(runners=1)
        await world.pass_time(1)
        world.start(users=1, spawn_rate=1, weights=(1,), run_time_s=None)
        await world.pass_time(3)
        worker.line.hang()
        await world.pass_time(outage_s)
        outbox = worker.agent.reporting.outbox
        assert outbox is not None
        assert outbox.joined_slices > 0
        worker.line.heal()
        await world.pass_time(10)
        world.master.stop()
        assert await world.wait_until(lambda: world.master.has_stopped, timeout_s=10)
        world.laws.all_is_counted()

    with quiet_loop() as loop:
        loop.run_until_complete(run(World(loop, 1, WorldSettings(lease_ttl_s=4 * outage_s))))


async def _cut_before_the_commit(world: World) -> None:
    worker = world.join(runners=2)
    await world.pass_time(1)
    world.start(users=4, spawn_rate=4, weights=(1,), run_time_s=None)
    world.master.store.is_stalled = True
    await world.pass_time(2.5)
    worker.line.cut()
    await world.pass_time(1.5)


def test_law_of_counting_once_is_broken_when_repeated_reports_are_merged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A law that nothing breaks proves nothing."""
    monkeypatch.setattr(Ledger, "judge", lambda *_, **__: Verdict.APPLY)
    with (
        quiet_loop() as loop,
        pytest.raises((LawBroken, MalformedReport), match=r"counted more than once|defined already"),
    ):
        loop.run_until_complete(_cut_before_the_commit(World(loop, 3, WorldSettings())))


def test_law_of_shares_is_broken_when_the_master_does_not_wait_for_the_lease() -> None:
    """Two would run the same share, one of them unseen."""

    async def run(world: World) -> None:
        first, _ = world.join(runners=1), world.join(runners=1)
        await world.pass_time(1)
        world.start(users=6, spawn_rate=6, weights=(1,), run_time_s=None)
        await world.pass_time(3)
        world.master.cluster.membership.lease_ttl_s = -1.0
        first.line.hang()
        await world.pass_time(20)

    with quiet_loop() as loop, pytest.raises(LawBroken, match="is lost for the master and runs"):
        loop.run_until_complete(run(World(loop, 3, WorldSettings())))


LOOK_S = 0.01
"""Seconds between two looks at whether users are held back."""

MAX_HELD_S = 0.25
"""Seconds for which they may be: the way there and back, a commit of the store, a tick."""

CUT_AFTER_S = [0.2 * step for step in range(1, 10)]
"""Seconds from the start of a newcomer until a worker is cut off: some fall where its users move away."""


def _move_users_while_one_is_cut_off() -> None:
    async def run(world: World, cut_after_s: float) -> None:
        first, _ = world.join(runners=1), world.join(runners=1)
        await world.pass_time(1)
        world.start(users=12, spawn_rate=10, weights=(1,), run_time_s=None)
        await world.pass_time(3)
        world.join(runners=1)
        await world.pass_time(cut_after_s)
        first.line.hang()
        await world.pass_time(4)
        first.line.heal()
        await world.pass_time(4)
        assert world.laws.users_follow_the_plan() == ""

    for number, cut_after_s in enumerate(CUT_AFTER_S):
        with quiet_loop() as loop:
            loop.run_until_complete(run(World(loop, number, WorldSettings()), cut_after_s))


def test_users_that_move_never_run_twice_whenever_their_worker_is_cut_off() -> None:
    """It goes on with what it knows until its lease is over, and only it knows whether it has heard."""
    _move_users_while_one_is_cut_off()


def test_law_of_moves_is_broken_when_nobody_waits_for_who_gives_users_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The one that takes them would start them although the other one still runs them."""
    monkeypatch.setattr(Handover, "begin", lambda *_, **__: None)
    with pytest.raises(LawBroken, match="users run, 12 are planned"):
        _move_users_while_one_is_cut_off()


def test_users_come_back_only_when_those_that_were_ended_are_gone() -> None:
    """With a long stop timeout they still run when the master is back, and must not run beside new ones."""

    async def run(world: World) -> None:
        worker = world.join(runners=2, drain_s=5.0)
        await world.pass_time(1)
        world.start(users=6, spawn_rate=6, weights=(1,), run_time_s=None)
        await world.pass_time(3)
        worker.line.hang()
        assert await world.wait_until(lambda: worker.host.ending() == 6, timeout_s=10)
        worker.line.heal()
        until_s = world.loop.time() + 12
        while world.loop.time() < until_s:
            await world.pass_time(0.1)
            assert worker.users <= 6
        assert world.laws.users_follow_the_plan() == ""

    with quiet_loop() as loop:
        loop.run_until_complete(run(World(loop, 1, WorldSettings())))


def test_users_that_move_are_held_back_for_a_moment_when_everybody_is_in_touch() -> None:
    """Who gives users away says so at once, not with its next report: a join must not hold a ramp up."""
    pending_s = 0.0

    async def run(world: World) -> None:
        nonlocal pending_s
        for _ in range(3):
            world.join(runners=2)
        await world.pass_time(1)
        world.start(users=60, spawn_rate=10, weights=(1,), run_time_s=None)
        await world.pass_time(2)
        world.join(runners=2)
        until_s = world.loop.time() + 4
        while world.loop.time() < until_s:
            await world.pass_time(LOOK_S)
            assert world.master.run is not None
            pending_s += LOOK_S * world.master.run.handover.is_pending

    with quiet_loop() as loop:
        loop.run_until_complete(run(World(loop, 1, WorldSettings())))
    assert LOOK_S <= pending_s <= MAX_HELD_S
