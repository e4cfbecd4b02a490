"""A run with blows that a seed draws: what happens when, to whom, for how long."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.simulation.virtual_loop import ProcessState
from tests.simulation.worker_life import WorkerLife
from tests.simulation.world import World, WorldSettings, class_shares, quiet_loop

MAX_WORKERS = 5

SECONDS = 8.0
"""Virtual seconds of blows, if nothing else is asked for."""

MIXES = ((1,), (1, 1), (3, 1))
"""Weights of the user classes."""

HAVE_RUN_TIME = 0.15
"""Part of the runs that end by themselves, whatever happens to their master."""

STOP_PATIENCE_S = 25.0
"""Seconds after a stop by which the run is over: the patience for last reports, and a little."""


class Scenario:
    """Draws and does what a seed says."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._chance = random.Random(f"{seed} blows")
        self._blows: list[tuple[int, Callable[[], None]]] = [
            (6, self._cut),
            (5, self._hang_briefly),
            (3, self._hang_long),
            (2, self._hang_all),
            (2, self._freeze_agent),
            (2, self._freeze_runner),
            (3, self._kill_runner),
            (2, self._kill_agent),
            (2, self._leave),
            (3, self._join),
            (2, self._freeze_master),
            (3, self._kill_master),
            (4, self._edit),
            (1, self._edit_mix),
            (3, self._reset),
            (2, self._stall_store),
        ]

    async def play(self, *, seconds: float) -> None:
        """Plays it to its end; raises what a law that is broken raises."""
        world, chance = self._world, self._chance
        for _ in range(chance.randint(1, 3)):
            self._join()
        await world.pass_time(1.0)
        world.start(
            users=chance.randint(1, 14),
            spawn_rate=chance.choice([1, 2, 3, 5, 10]),
            weights=chance.choice(MIXES),
            run_time_s=chance.uniform(1, seconds) if chance.random() < HAVE_RUN_TIME else None,
        )
        end_s = world.loop.time() + seconds
        mean_s = chance.choice([0.3, 0.7, 2.0])
        while world.loop.time() < end_s and not self._is_over:
            await world.pass_time(chance.expovariate(1 / mean_s))
            weights = [weight for weight, _ in self._blows]
            ((_, blow),) = chance.choices(self._blows, weights)
            blow()
            world.blows[blow.__name__.strip("_").replace("_", " ")] += 1
        world.end_trouble()
        if not world.present():
            self._join()
        if world.journal.deadline_s is None:
            await self._come_to_rest()
            world.note("stop")
            world.master.stop()
        await self._end()

    @property
    def _is_over(self) -> bool:
        """True when the run time is over, and so the run."""
        master = self._world.master
        return master.has_stopped or (master.process.is_alive and master.run is None)

    async def _come_to_rest(self) -> None:
        world = self._world
        lease_s = world.settings.lease_ttl_s
        run = world.master.run
        assert run is not None
        patience_s = 2 * (lease_s + 2) + 5 + 2 * (run.goal.users + 14) / run.goal.spawn_rate
        until_s = world.loop.time() + patience_s
        while wrong := await self._stays_as_planned():
            if world.loop.time() > until_s:
                world.laws.fail(f"users do not follow the plan: {wrong}")

    async def _stays_as_planned(self) -> str:
        """Returns what is not as planned, now or a second later."""
        wrong = self._world.laws.users_follow_the_plan()
        await self._world.pass_time(0.3 if wrong else 1.0)
        return wrong or self._world.laws.users_follow_the_plan()

    async def _end(self) -> None:
        world = self._world
        if not await world.wait_until(lambda: self._is_over, timeout_s=self._patience_s):
            world.laws.fail("the run does not end")
        await world.pass_time(1.0)
        if any(worker.users for worker in world.workers):
            world.laws.fail("users run after the end")
        if world.master.run is not None:
            world.laws.all_is_counted()

    @property
    def _patience_s(self) -> float:
        deadline_s = self._world.journal.deadline_s
        return STOP_PATIENCE_S + max(0.0, (deadline_s or 0.0) - self._world.loop.time())

    # ── blows ────────────────────────────────────────────────────────────────────────────────────────────

    def _some_worker(self) -> WorkerLife | None:
        present = self._world.present()
        return self._chance.choice(present) if present else None

    def _cut(self) -> None:
        if (worker := self._some_worker()) is not None:
            self._world.note(f"cut {worker.name}")
            worker.line.cut()

    def _hang(self, workers: list[WorkerLife], seconds: float) -> None:
        names = ", ".join(worker.name for worker in workers)
        self._world.note(f"hang {names} for {seconds:.2f} s")
        for worker in workers:
            worker.line.hang()
            self._world.later(seconds, worker.line.heal)

    def _hang_briefly(self) -> None:
        if (worker := self._some_worker()) is not None:
            self._hang([worker], self._chance.uniform(0.1, self._world.settings.lease_ttl_s))

    def _hang_long(self) -> None:
        if (worker := self._some_worker()) is not None:
            self._hang([worker], self._world.settings.lease_ttl_s + self._chance.uniform(0, 7))

    def _hang_all(self) -> None:
        if workers := self._world.present():
            self._hang(workers, self._chance.uniform(0.5, 8))

    def _freeze_agent(self) -> None:
        if (worker := self._some_worker()) is not None:
            seconds = self._chance.uniform(0.3, 8)
            self._world.note(f"freeze agent {worker.name} for {seconds:.2f} s")
            worker.process.freeze()
            self._world.later(seconds, worker.process.thaw)

    def _freeze_runner(self) -> None:
        runners = [r for w in self._world.present() for r in w.host.runners if r.process.is_alive]
        if runners:
            runner, seconds = self._chance.choice(runners), self._chance.uniform(0.3, 5)
            self._world.note(f"freeze {runner.process.name} for {seconds:.2f} s")
            runner.process.freeze()
            self._world.later(seconds, runner.process.thaw)

    def _kill_runner(self) -> None:
        runners = [r for w in self._world.present() for r in w.host.runners if r.process.is_alive]
        if runners:
            self._world.kill_runner(self._chance.choice(runners))

    def _kill_agent(self) -> None:
        if (worker := self._some_worker()) is not None:
            self._world.note(f"kill agent {worker.name}")
            worker.kill()

    def _leave(self) -> None:
        if (worker := self._some_worker()) is not None:
            self._world.note(f"{worker.name} leaves")
            worker.leave()

    def _join(self) -> None:
        if len(self._world.present()) < MAX_WORKERS:
            drain_s = self._chance.choice([0.0, 0.0, 0.4])
            self._world.join(runners=self._chance.randint(1, 3), drain_s=drain_s)

    def _freeze_master(self) -> None:
        master = self._world.master
        if master.process.state is ProcessState.ALIVE:
            seconds = self._chance.uniform(0.3, 7)
            self._world.note(f"freeze {master.process.name} for {seconds:.2f} s")
            master.process.freeze()
            self._world.later(seconds, master.process.thaw)

    def _kill_master(self) -> None:
        if self._world.master.process.is_alive:
            self._world.kill_master()
            self._world.later(self._chance.uniform(0.2, 6), self._world.restart_master)

    def _edit(self) -> None:
        if self._world.master.process.state is ProcessState.ALIVE:
            users, spawn_rate = self._chance.randint(1, 14), self._chance.choice([2, 3, 5, 10])
            self._world.note(f"edit: {users} users at {spawn_rate}/s")
            self._world.master.edit(users=users, spawn_rate=spawn_rate)

    def _edit_mix(self) -> None:
        if self._world.master.process.state is ProcessState.ALIVE:
            weights = self._chance.choice(MIXES)
            self._world.note(f"edit: weights {weights}")
            self._world.master.edit(classes=class_shares(weights))

    def _reset(self) -> None:
        if self._world.master.process.state is ProcessState.ALIVE:
            self._world.note("reset")
            self._world.master.reset()

    def _stall_store(self) -> None:
        store = self._world.master.store
        self._world.note("the store stalls")
        store.is_stalled = True
        self._world.later(self._chance.uniform(0.2, 5), lambda: setattr(store, "is_stalled", False))


def play(seed: int, *, seconds: float = SECONDS, settings: WorldSettings | None = None) -> World:
    """Plays the scenario of a seed and returns the world as it was in the end."""
    with quiet_loop() as loop:
        world = World(loop, seed, settings or WorldSettings())
        try:
            loop.run_until_complete(Scenario(world, seed).play(seconds=seconds))
        except Exception as error:
            error.add_note(f"seed {seed}, seconds={seconds}")
            raise
    return world
