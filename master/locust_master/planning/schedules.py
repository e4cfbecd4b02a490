"""What each worker is told: schedules, made from the legs of a plan when somebody asks for that worker.

Pure: it must never decide what runs where or when.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from locust_master.planning.pace import Pace
from locust_master.planning.placement import Placement, Step
from locust_master.planning.way import Way
from locust_protocol.schedule import UserSchedule, compress


@dataclass(frozen=True, slots=True)
class Leg:
    """The first `turns` turns of a way, the first of them due at `start_us` (µs on the run's timeline)."""

    start_us: int
    pace: Pace
    way: Way
    turns: int

    def turns_until(self, at_us: int) -> int:
        """Return how many turns are due at `at_us` or before."""
        return min(self.turns, self.pace.turns_until(at_us - self.start_us))

    def users_after(self, turns: int) -> int:
        """Return how many users run after so many turns."""
        return self.way.users + min(turns, self.way.start_count) - min(turns, self.way.stop_count)

    def due_us(self, turn: int) -> int:
        """Return when a turn is due."""
        return self.start_us + self.pace.due_us(turn)

    def placement(self, at_us: int) -> Placement:
        """Return who should be running what at `at_us`."""
        return self.way.placement(self.turns_until(at_us))

    def steps(self) -> Iterator[Step]:
        """Yield every single change, in order."""
        stops, starts = self.changes()
        for turn in range(self.turns):
            for codes, change in ((stops, -1), (starts, +1)):
                if turn < len(codes):
                    worker, user_class = divmod(codes[turn], len(self.way.classes))
                    yield Step(
                        self.due_us(turn), self.way.workers[worker], self.way.classes[user_class], change
                    )

    def changes(self) -> tuple[Sequence[int], Sequence[int]]:
        """Return the stops and the starts that are made, packed; the k-th of either are of turn k."""
        way = self.way
        return way.stops(min(self.turns, way.stop_count)), way.starts(min(self.turns, way.start_count))


class Schedules(Mapping[str, tuple[UserSchedule, ...]]):
    """Worker → its schedules, classes in the order given. Equal legs give equal schedules.

    The legs' turns are sorted by worker when the first is asked for; a worker's schedules are made once.
    """

    __slots__ = ("_classes", "_index", "_known", "_legs", "_sorted", "_start")

    def __init__(self, legs: Sequence[Leg], classes: Sequence[str]) -> None:
        self._legs = legs
        self._classes = tuple(classes)
        self._index = {worker: index for index, worker in enumerate(legs[0].way.workers)}
        self._known: dict[str, tuple[UserSchedule, ...]] = {}
        self._start: Placement = {}
        # By leg and direction: packed user → the turns at which it is one of it that changes.
        self._sorted: list[tuple[Leg, int, dict[int, list[int]]]] = []

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, worker: object) -> bool:
        return worker in self._index

    def __getitem__(self, worker: str) -> tuple[UserSchedule, ...]:
        known = self._known.get(worker)
        if known is None:
            known = self._known[worker] = self._schedules(worker, self._index[worker])
        return known

    def _schedules(self, worker: str, index: int) -> tuple[UserSchedule, ...]:
        if not self._sorted:
            self._sort()
        timed: dict[str, list[tuple[int, int]]] = {}
        for leg, change, turns_of in self._sorted:
            width = len(leg.way.classes)
            for code, name in enumerate(leg.way.classes, start=index * width):
                if turns := turns_of.get(code):
                    dues = leg.pace.due_times(turns, start_us=leg.start_us)
                    timed.setdefault(name, []).extend((due_us, change) for due_us in dues)
        base = self._start[worker]
        return tuple(
            compress(name, base.get(name, 0), timed.get(name, ()))
            for name in self._classes + tuple(name for name in base if name not in self._classes)
            if base.get(name, 0) > 0 or name in timed
        )

    def _sort(self) -> None:
        self._start = self._legs[0].way.placement(0)
        for leg in self._legs:
            for codes, change in zip(leg.changes(), (-1, +1), strict=True):
                turns_of: dict[int, list[int]] = {}
                for turn, code in enumerate(codes):
                    if code in turns_of:
                        turns_of[code].append(turn)
                    else:
                        turns_of[code] = [turn]
                self._sorted.append((leg, change, turns_of))
