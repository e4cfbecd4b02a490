"""The way from a placement that the deal would not have made: fewest changes, in an order that never harms.

A worker was lost or joined, or the classes were changed. What stops, and how many each worker and class
starts, is known beforehand (see `fewest_changes`); here it is put in order. A turn stops one user, or starts
one, or stops one and then starts one. First users of classes that have too many are exchanged for users of
classes that have too few; then users are moved from worker to worker, each within its class; then the total
goes to the goal. So

* users of the wrong class, which a run of just as many users would not have, never become more;
* from a placement without any, no class is ever as much as one user from its ideal share;
* the total goes toward the goal or stays;
* workers of equal capacity get no further apart than they were, or than one user, as far as the mix lets
them: up always, down wherever the search finds an order of stops that keeps both laws, for what stops is of a
class that is due and must be where it runs.

On the way down a turn of the mix may be changed by another for the balance, as long as no class is as much as
one user off; see `descent` and `search`.

Pure: it must never know what time it is.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from locust_master.planning.fewest import Changes, fewest_changes
from locust_master.planning.ideal import Ideal
from locust_master.planning.loads import Loads
from locust_master.planning.mix import Mix
from locust_master.planning.placement import Placement
from locust_master.planning.places import Places


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
    ideal: Ideal
    class_places: Places
    capacity_places: Places

    def by_class(self) -> list[int]:
        """Return how many users of each class run in all."""
        return [sum(users[user_class] for users in self.running) for user_class in range(len(self.classes))]


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
        seats, places = _seats(disturbed.runners), disturbed.capacity_places
        changes = fewest_changes(
            running=disturbed.running,
            wanted=disturbed.wanted,
            runners=disturbed.runners,
            # At which turn of the workers' fair sequence a worker with so many users gets another.
            turn_of=lambda worker, users: places.of(
                disturbed.runners[worker], users * seats[worker][0] + seats[worker][1]
            ),
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
        missing = turns - max(len(self._stopped), len(self._started))
        for stopped, started in islice(self._turns, max(0, missing)):
            if stopped is not None:
                self._stopped.append(stopped)
            if started is not None:
                self._started.append(started)


def _seats(runners: Sequence[int]) -> list[tuple[int, int]]:
    """(How many workers have as many runners as this one, how many of them come before it) of each worker."""
    seats = Counter(runners)
    before: Counter[int] = Counter()
    found = []
    for count in runners:
        found.append((seats[count], before[count]))
        before[count] += 1
    return found


def _turns(given: Disturbed, changes: Changes) -> Iterator[tuple[int | None, int | None]]:
    """Yield (user to stop, user to start) of each turn."""
    loads = Loads(
        loads=[sum(by_class) for by_class in given.running],
        runners=given.runners,
        starts=changes.worker_starts,
        places=given.capacity_places,
    )
    mix = Mix(
        running=given.running,
        stops=changes.stops,
        starts=changes.class_starts,
        places=given.class_places,
    )
    width = len(given.classes)
    running = sum(map(sum, given.running))

    def stop(worker: int, user_class: int) -> int:
        mix.stop(worker, user_class)
        loads.stop(worker)
        return worker * width + user_class

    def start(workers: int, user_class: int) -> int:
        worker = mix.fewest(user_class, workers)
        mix.start(worker, user_class)
        loads.start(worker)
        return worker * width + user_class

    surplus = [have - want for have, want in zip(given.by_class(), given.wanted, strict=True)]
    above = [c for c in range(width) if surplus[c] > 0 and mix.is_above(c, running)]
    for user_class in _lacking(given):
        heavy, light = loads.swap(mix.stopping_any(above))
        worker = _lowest(heavy)
        stopped = mix.latest(above, worker)
        # In this order: the class that stops may be the one that is to start elsewhere.
        yield stop(worker, stopped), start(light, user_class)
        surplus[stopped] -= 1
        if not surplus[stopped] or not mix.is_above(stopped, running):
            above.remove(stopped)
    while classes := mix.moving():
        heavy, light = loads.swap(mix.stopping_any(classes))
        worker = _lowest(heavy)
        moved = mix.latest(classes, worker)
        yield stop(worker, moved), start(light, moved)
    for worker, user_class in mix.descent(loads, given.ideal).users():
        yield worker * width + user_class, None
    for user_class in mix.next_starts():
        yield None, start(loads.lightest(), user_class)


def _lacking(given: Disturbed) -> list[int]:
    """Classes of the users that start in exchange for ones of classes that have too many."""
    have = given.by_class()
    surplus = sum(max(0, users - want) for users, want in zip(have, given.wanted, strict=True))
    places = sorted(
        (given.class_places.of(user_class, turn), user_class)
        for user_class, (users, want) in enumerate(zip(have, given.wanted, strict=True))
        for turn in range(users, want)
    )
    return [user_class for _, user_class in places[:surplus]]


def _lowest(workers: int) -> int:
    return (workers & -workers).bit_length() - 1
