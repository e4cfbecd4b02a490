"""What the run says of a dead worker covers what died with it, however its end looked from the master."""

from __future__ import annotations

import pytest

from locust_master import loss_notes
from locust_master.losses import LastSigns, Loss, LossKind, Missing, missing
from locust_protocol.limits import REPORT_INTERVAL_S
from tests.simulation.laws import LawBroken
from tests.simulation.worker_life import WorkerLife
from tests.simulation.world import World, WorldSettings, quiet_loop

SEEDS = range(12)
"""Worlds that differ in when reports come and messages arrive."""

LOST_WITHIN_S = 8.0
"""Seconds after which a lease of 3 s is over, and what comes of it has come."""

KILLED_MS = 2_500
"""Milliseconds that are declared at most for a worker that dies while it reports: a report interval, what its
runners had not flushed, a second in which it may have looked for a way back, and what messages take."""


async def _start(world: World) -> WorkerLife:
    first, _ = world.join(runners=2), world.join(runners=1)
    await world.pass_time(1)
    world.start(users=6, spawn_rate=10, weights=(1,), run_time_s=None)
    await world.pass_time(2 + world.seed / len(SEEDS))
    return first


async def _loss_of(worker: WorkerLife, world: World) -> Loss:
    """Ends the run, holds it against the truth, and returns what it says of a worker that was killed."""
    await world.pass_time(LOST_WITHIN_S)
    world.end_trouble()
    await world.pass_time(1)
    world.master.stop()
    assert await world.wait_until(lambda: world.master.has_stopped, timeout_s=25)
    world.laws.all_is_counted()
    assert world.master.run is not None
    (loss,) = (each for each in world.master.run.losses if each.kind is LossKind.WORKER)
    assert loss.worker == worker.name
    return loss


async def _kill_at_work(world: World) -> Loss:
    worker = await _start(world)
    worker.kill()
    return await _loss_of(worker, world)


async def _kill_when_cut_off(world: World) -> Loss:
    """The connection ends, there is no way back, and the worker gathers on until it is killed."""
    worker = await _start(world)
    worker.line.cut()
    worker.line.hang()
    await world.pass_time(2.5)
    worker.kill()
    return await _loss_of(worker, world)


async def _kill_when_cut_off_standing_still(world: World) -> Loss:
    """The agent stands still and only its runners go on; its connection ends, and in the end it is killed."""
    worker = await _start(world)
    worker.process.freeze()
    await world.pass_time(1.8 * REPORT_INTERVAL_S)
    worker.line.cut()
    await world.pass_time(2)
    worker.kill()
    return await _loss_of(worker, world)


def _declared_for(kill: object) -> list[Loss]:
    losses = []
    for seed in SEEDS:
        with quiet_loop() as loop:
            losses.append(loop.run_until_complete(kill(World(loop, seed, WorldSettings()))))  # type: ignore[operator]
    return losses


def test_worker_that_is_killed_at_work_is_declared_with_little() -> None:
    """The usual death, which must not look like a whole lease. What it is if it lived on is said, too."""
    for loss in _declared_for(_kill_at_work):
        assert 0 < loss.missing_ms <= KILLED_MS
        assert loss.if_cut_off_ms > loss.missing_ms


def test_worker_that_is_killed_when_cut_off_is_declared_with_what_it_may_have_gathered() -> None:
    """It looks like one that was killed at work: the figure for that is too small, the other one holds."""
    for loss in _declared_for(_kill_when_cut_off):
        assert loss.if_cut_off_ms > loss.missing_ms


def test_worker_that_stood_still_when_it_was_cut_off_did_not_die_then() -> None:
    """It had been silent: one figure, for as long as its users may have run."""
    for loss in _declared_for(_kill_when_cut_off_standing_still):
        assert loss.if_cut_off_ms == 0
        assert loss.missing_ms > KILLED_MS


def test_law_of_declared_losses_is_broken_when_a_cut_counts_as_a_death(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A law that nothing breaks proves nothing."""

    def without_doubt(signs: LastSigns) -> Missing:
        return Missing(missing(signs).missing_ms)

    monkeypatch.setattr(loss_notes, "missing", without_doubt)
    with pytest.raises(LawBroken, match=r"are missing.*declared"):
        _declared_for(_kill_when_cut_off)
