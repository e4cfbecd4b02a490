"""The way from a placement that the deal would not have made: fewest changes, in an order that never harms.

A worker was lost or joined, or the classes were changed. What stops, and how many each worker and class
starts, is known beforehand (see `fewest_changes`); here it is put in order. A turn stops one user, or starts
one, or stops one and then starts one; while users are to be stopped and to be started, every turn does both.
At each turn

* the total goes toward the goal or stays;
* the summed distance of the classes from their numbers in the end does not grow;
* workers of equal capacity get no further apart than they were, or than one user.

Why the last holds: a swap stops a user on a heaviest worker that has one to stop and starts one on a
lightest that has one to start, if the first is heavier. If it is not, one of the two has both to do, since a
worker that only stops is above its share and one that only starts is below: that one swaps in its place.
Where only stops or only starts are left, all workers that take part are on the same side of their shares.

Among the classes, what comes last in the class sequence is stopped first and what comes first started first,
so that on the way up the mix is that of a run of as many users as soon as it can be.

Pure: it must never know what time it is.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from locust_master.planning.fewest import Changes, fewest_changes
from locust_master.planning.loads import Loads
from locust_master.planning.mix import Mix
from locust_master.planning.placement import Placement
from locust_master.planning.share import Places


@dataclass(frozen=True, slots=True)
class Disturbed:
    """A placement with where it is to go: `running[w][c]` users by worker and class, `wanted[c]` in the end.

    `class_turns` yields the fair sequence of classes (indices), `capacity_turns` that of the workers (each by
    its number of runners).
    """

    workers: tuple[str, ...]
    classes: tuple[str, ...]
    runners: tuple[int, ...]
    running: list[list[int]]
    wanted: list[int]
    class_turns: Iterator[int]
    capacity_turns: Iterator[int]


class RepairWay:
    """Stops and starts in order, each packed as `worker index * classes + class index`; the k-th of either
    are of turn k. Ordered only as far as somebody asks.
    """

    __slots__ = (
        "_running",
        "_started",
        "_stopped",
        "_turns",
        "classes",
        "start_count",
        "stop_count",
        "workers",
    )

    def __init__(self, disturbed: Disturbed) -> None:
        self.workers = disturbed.workers
        self.classes = disturbed.classes
        self._running = disturbed.running
        changes = fewest_changes(
            running=disturbed.running, wanted=disturbed.wanted, runners=disturbed.runners
        )
        self.stop_count = sum(map(sum, changes.stops))
        self.start_count = sum(changes.class_starts)
        self._stopped = array("I")
        self._started = array("I")
        self._turns = _turns(disturbed, changes)

    @property
    def users(self) -> int:
        """Users that run before the first turn."""
        return sum(map(sum, self._running))

    def stops(self, count: int) -> Sequence[int]:
        """Return the first `count` stops."""
        self._enumerate(count)
        return self._stopped[:count]

    def starts(self, count: int) -> Sequence[int]:
        """Return the first `count` starts."""
        self._enumerate(count)
        return self._started[:count]

    def placement(self, turns: int) -> Placement:
        """Return who runs what after so many turns; every worker, no class without users."""
        users = [list(by_class) for by_class in self._running]
        width = len(self.classes)
        for code, count in Counter(self.stops(min(turns, self.stop_count))).items():
            users[code // width][code % width] -= count
        for code, count in Counter(self.starts(min(turns, self.start_count))).items():
            users[code // width][code % width] += count
        return {
            worker: {name: count for name, count in zip(self.classes, by_class, strict=True) if count}
            for worker, by_class in zip(self.workers, users, strict=True)
        }

    def _enumerate(self, turns: int) -> None:
        while max(len(self._stopped), len(self._started)) < turns:
            stopped, started = next(self._turns)
            if stopped is not None:
                self._stopped.append(stopped)
            if started is not None:
                self._started.append(started)


def _turns(given: Disturbed, changes: Changes) -> Iterator[tuple[int | None, int | None]]:
    """Yield (user to stop, user to start) of each turn."""
    length = max(sum(map(sum, given.running)), sum(given.wanted))
    loads = Loads(
        loads=[sum(by_class) for by_class in given.running],
        runners=given.runners,
        stops=[sum(by_class) for by_class in changes.stops],
        starts=changes.worker_starts,
        places=Places(given.capacity_turns, length),
    )
    mix = Mix(
        running=given.running,
        stops=changes.stops,
        starts=changes.class_starts,
        places=Places(given.class_turns, length),
    )
    width = len(given.classes)

    def stop(candidates: int) -> int:
        worker, user_class = mix.stop(candidates)
        loads.stop(worker)
        return worker * width + user_class

    def start(candidates: int) -> int:
        worker, user_class = mix.start(candidates)
        loads.start(worker)
        return worker * width + user_class

    stops, starts = sum(map(sum, changes.stops)), sum(changes.class_starts)
    for turn in range(max(stops, starts)):
        if turn >= stops:
            yield None, start(loads.lightest())
        elif turn >= starts:
            yield stop(loads.heaviest()), None
        else:
            heavy, light = loads.swap()
            # In this order: the class that stops may be the one that is to start elsewhere.
            yield stop(heavy), start(light)
