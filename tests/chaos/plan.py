"""What goes wrong and when: drawn from a seed, before anything runs. Pure.

There are two scripts. *Network* faults happen to the connection between one worker and the master, worker by
worker, all workers at the same time. *Process* faults and changes of the load happen one after the other,
beside them.
"""

from __future__ import annotations

import enum
import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.support.chaos_proxy import (
    BOTH,
    Cut,
    Delay,
    Direction,
    Fault,
    HalfClose,
    Hang,
    Insert,
    Rate,
    Refuse,
)

LONG_HANG_S = 14.0
"""Longer than a lease and the grace after it (10 s + 2 s): the worker fences itself and its share moves."""


class ProcessFault(enum.Enum):
    """What happens to a process, or to the load."""

    KILL_RUNNER = "runner killed"
    KILL_MASTER = "master killed"
    KILL_AGENT = "agent killed"
    LEAVE = "worker left"
    PAUSE_RUNNER = "runner stopped 5 s"
    PAUSE_AGENT = "agent stopped 5 s"
    PAUSE_MASTER = "master stopped 5 s"
    EDIT = "users edited"


@dataclass(frozen=True, slots=True)
class NetworkStep:
    """A fault of one worker's connection; `for_s` seconds later it is healed, if it is one that lasts."""

    at_s: float
    seat: int
    fault: Fault
    for_s: float = 0.0

    @property
    def kind(self) -> str:
        """What to call it in a table."""
        match self.fault:
            case Cut(reset):
                return "cut (RST)" if reset else "cut (FIN)"
            case Refuse():
                return "outage 0.5-3 s"
            case Hang():
                return "hang 14 s" if self.for_s >= LONG_HANG_S else "hang 1-6 s"
            case _:
                return {Delay: "delay", Rate: "slow line", HalfClose: "half-close", Insert: "garbage"}[
                    type(self.fault)
                ]


@dataclass(frozen=True, slots=True)
class ProcessStep:
    """A fault of a process. Where it does not apply, `seat`, `slot`, `users` and the rest say nothing."""

    at_s: float
    kind: ProcessFault
    seat: int = 0
    slot: int = 0
    down_s: float = 0.0
    users: int = 0
    spawn_rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Extent:
    """How much goes wrong."""

    seconds: float
    workers: int
    runners: int
    cuts: int
    other_network_faults: int
    long_hangs: int
    runner_kills: int
    master_kills: int
    agent_kills: int
    leaves: int
    pauses: int
    """Rounds of SIGSTOP of runner, agent and master."""
    edits: tuple[tuple[int, float], ...]
    """Users and spawn rate of each edit."""


def network_plan(extent: Extent, *, seed: int) -> list[NetworkStep]:
    """Draws the faults of all connections, in order of time."""
    chance = random.Random(f"{seed}:network")
    makers: list[Callable[[random.Random], tuple[Fault, float]]] = [
        *itertools.islice(itertools.cycle(_CUTS), extent.cuts),
        *itertools.islice(itertools.cycle(_OTHERS), extent.other_network_faults),
        *itertools.repeat(_long_hang, extent.long_hangs),
    ]
    chance.shuffle(makers)
    times = _spread(chance, len(makers), extent.seconds)
    seats = _in_turn(chance, extent.workers, len(makers))
    steps = [
        NetworkStep(at_s, seat, *make(chance)) for at_s, seat, make in zip(times, seats, makers, strict=True)
    ]
    return sorted(steps, key=lambda step: step.at_s)


def process_plan(extent: Extent, *, seed: int) -> list[ProcessStep]:
    """Draws the faults of processes, in order of time; runners are killed in turn."""
    chance = random.Random(f"{seed}:processes")
    slots = list(itertools.product(range(extent.workers), range(extent.runners)))
    chance.shuffle(slots)
    victims = itertools.cycle(slots)
    kinds = [
        *itertools.repeat(ProcessFault.KILL_RUNNER, extent.runner_kills),
        *itertools.repeat(ProcessFault.KILL_MASTER, extent.master_kills),
        *itertools.repeat(ProcessFault.KILL_AGENT, extent.agent_kills),
        *itertools.repeat(ProcessFault.LEAVE, extent.leaves),
        *itertools.repeat(ProcessFault.EDIT, len(extent.edits)),
        *[ProcessFault.PAUSE_RUNNER, ProcessFault.PAUSE_AGENT, ProcessFault.PAUSE_MASTER] * extent.pauses,
    ]
    chance.shuffle(kinds)
    edits = iter(extent.edits)
    steps = []
    for at_s, kind in zip(_spread(chance, len(kinds), extent.seconds), kinds, strict=True):
        seat, slot = next(victims) if kind is ProcessFault.KILL_RUNNER else chance.choice(slots)
        users, spawn_rate = next(edits) if kind is ProcessFault.EDIT else (0, 0.0)
        down_s = chance.uniform(0.0, 3.0) if kind is ProcessFault.KILL_MASTER else 0.0
        steps.append(ProcessStep(at_s, kind, seat, slot, down_s, users, spawn_rate))
    return steps


# ── network faults ───────────────────────────────────────────────────────────────────────────────────────


def _reset(chance: random.Random) -> tuple[Fault, float]:
    return Cut(reset=True), 0.0


def _end(chance: random.Random) -> tuple[Fault, float]:
    return Cut(reset=False), 0.0


def _outage(chance: random.Random) -> tuple[Fault, float]:
    return Refuse(), chance.uniform(0.5, 3.0)


def _hang(chance: random.Random) -> tuple[Fault, float]:
    ways = chance.choice([BOTH, frozenset({Direction.UP}), frozenset({Direction.DOWN})])
    return Hang(ways), chance.uniform(1.0, 6.0)


def _long_hang(chance: random.Random) -> tuple[Fault, float]:
    return Hang(BOTH), LONG_HANG_S


def _delay(chance: random.Random) -> tuple[Fault, float]:
    return Delay(chance.randrange(100, 400)), chance.uniform(2.0, 5.0)


def _slow_line(chance: random.Random) -> tuple[Fault, float]:
    return Rate(chance.randrange(2_000, 20_000)), chance.uniform(2.0, 5.0)


def _half_close(chance: random.Random) -> tuple[Fault, float]:
    return HalfClose(chance.choice(list(Direction))), 0.0


def _garbage(chance: random.Random) -> tuple[Fault, float]:
    # Whole frames of garbage, never a flipped bit inside a message: TCP has a checksum against that, and a
    # changed number is a valid one.
    return Insert(chance.choice(list(Direction)), chance.randrange(1, 200)), 0.0


_CUTS = (_reset, _reset, _end, _outage)
_OTHERS = (_hang, _delay, _slow_line, _half_close, _garbage)


def _spread(chance: random.Random, count: int, seconds: float) -> list[float]:
    """Times over a stretch, one in each of its equal parts."""
    return [(index + chance.random()) * seconds / count for index in range(count)]


def _in_turn(chance: random.Random, workers: int, count: int) -> Sequence[int]:
    """Every worker as often as every other."""
    seats = [index % workers for index in range(count)]
    chance.shuffle(seats)
    return seats
