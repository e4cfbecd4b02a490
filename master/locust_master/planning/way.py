"""The way from what is running to a goal, user by user, without times.

Where what is running is what the deal would have placed, the way is the deal itself, forward or back: every
moment of it is a placement at rest. Where it is not, the way is a repair.

Pure: it must never know what time it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from locust_master.planning.deal import Deal, deal_of
from locust_master.planning.goal import Goal, class_order
from locust_master.planning.ideal import Ideal
from locust_master.planning.placement import Placement, WorkerCapacity, users_in
from locust_master.planning.places import Places
from locust_master.planning.repair import Disturbed, RepairWay
from locust_master.planning.share import fair_sequence


class Way(Protocol):
    """Stops and starts in order, packed as `worker index * classes + class index`; the k-th of either are of
    turn k, the stop first. Ways are enumerated as far as somebody asks.
    """

    @property
    def workers(self) -> tuple[str, ...]: ...

    @property
    def classes(self) -> tuple[str, ...]: ...

    @property
    def stop_count(self) -> int: ...

    @property
    def start_count(self) -> int: ...

    @property
    def users(self) -> int:
        """Users that run before the first turn."""

    def stops(self, count: int) -> Sequence[int]:
        """Return the first `count` stops; `count` must not be above `stop_count`."""

    def starts(self, count: int) -> Sequence[int]:
        """Return the first `count` starts; `count` must not be above `start_count`."""

    def placement(self, turns: int) -> Placement:
        """Return who runs what after so many turns; every worker, no class without users."""


class DealtWay:
    """From the first `before` users of the deal to its first `after`."""

    __slots__ = ("_after", "_before", "deal")

    def __init__(self, deal: Deal, *, before: int, after: int) -> None:
        self.deal = deal
        self._before = before
        self._after = after

    @property
    def workers(self) -> tuple[str, ...]:
        return self.deal.workers

    @property
    def classes(self) -> tuple[str, ...]:
        return self.deal.classes

    @property
    def stop_count(self) -> int:
        return max(0, self._before - self._after)

    @property
    def start_count(self) -> int:
        return max(0, self._after - self._before)

    @property
    def users(self) -> int:
        return self._before

    def stops(self, count: int) -> Sequence[int]:
        return self.deal.codes(self._before)[self._before - count : self._before][::-1]

    def starts(self, count: int) -> Sequence[int]:
        return self.deal.codes(self._before + count)[self._before : self._before + count]

    def placement(self, turns: int) -> Placement:
        return self.deal.placement(self.users_after(turns))

    def users_after(self, turns: int) -> int:
        """Return how many users run after so many turns."""
        return self._before + min(turns, self.start_count) - min(turns, self.stop_count)


def way_from(current: Placement, *, goal: Goal, workers: Sequence[WorkerCapacity]) -> Way:
    """Return the way to the goal from what `current` has on the given workers."""
    live = {worker.worker: current.get(worker.worker, {}) for worker in workers}
    deal = deal_of(goal.classes, tuple(workers))
    running = users_in(live)
    if deal.is_placed(live, running):
        return DealtWay(deal, before=running, after=deal.reach(goal.users))
    names = tuple(dict.fromkeys([*deal.classes, *(name for by_class in live.values() for name in by_class)]))
    wanted = deal.reach(goal.users)
    length = max(running, wanted)
    class_places = Places(class_order(goal.classes), length)
    runners = tuple(worker.runners for worker in workers)
    return RepairWay(
        Disturbed(
            workers=deal.workers,
            classes=names,
            runners=runners,
            running=[[max(0, by_class.get(name, 0)) for name in names] for by_class in live.values()],
            wanted=[class_places.turns_before(index, wanted) for index in range(len(names))],
            ideal=Ideal(goal.classes, len(names)),
            class_places=class_places,
            # A turn more for each worker: its next user may come beyond all that run.
            capacity_places=Places(map(runners.__getitem__, fair_sequence(runners)), length + len(runners)),
        )
    )


def way_on(way: Way, *, turns: int, goal: Goal, workers: Sequence[WorkerCapacity]) -> Way:
    """Return the way to the goal from where another has led on the same workers after so many turns."""
    deal = deal_of(goal.classes, tuple(workers))
    if isinstance(way, DealtWay) and way.deal is deal:
        return DealtWay(deal, before=way.users_after(turns), after=deal.reach(goal.users))
    return way_from(way.placement(turns), goal=goal, workers=workers)
