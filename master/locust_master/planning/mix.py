"""Of which class the next user is to stop or to start, and where, while a placement is put right.

The class of which the last user comes latest in the class sequence is stopped first, the one of which the
next comes earliest is started first. So as many users as ever may be are of the classes that the sequence
has at their total, and no turn makes them fewer. Sets of workers are bit masks.

Pure: it must never know how many users a worker should have.
"""

from collections.abc import Iterable, Sequence

from locust_master.planning.descent import Descent
from locust_master.planning.holders import Holders
from locust_master.planning.ideal import Ideal
from locust_master.planning.loads import Loads
from locust_master.planning.places import Places, in_order


class Mix:
    """Users by class, with what is left to stop (by worker and class) and to start (by class)."""

    __slots__ = ("_holders", "_last", "_places", "_starts", "_stops", "_totals", "stopping")

    def __init__(
        self,
        *,
        running: Sequence[Sequence[int]],
        stops: Sequence[Sequence[int]],
        starts: Sequence[int],
        places: Places,
    ) -> None:
        self._holders = Holders(running, len(starts))
        self._stops = [list(by_class) for by_class in stops]
        self._starts = list(starts)
        self._places = places
        self._totals = [sum(by_class[c] for by_class in running) for c in range(len(starts))]
        self._last = [places.of(c, total - 1) for c, total in enumerate(self._totals)]
        # By class: workers that have one of it to stop.
        self.stopping = [_mask(by_class[c] for by_class in stops) for c in range(len(starts))]

    def moving(self) -> list[int]:
        """Return the classes that have users both to stop and to start."""
        return [c for c, users in enumerate(self._starts) if users and self.stopping[c]]

    def is_above(self, user_class: int, users: int) -> bool:
        """Whether the class has users to stop and more than it would have among so many users."""
        return bool(self.stopping[user_class]) and self._last[user_class] >= users

    def stopping_any(self, classes: Iterable[int]) -> int:
        """Return the workers that have users of some of the classes to stop."""
        workers = 0
        for user_class in classes:
            workers |= self.stopping[user_class]
        return workers

    def next_starts(self) -> list[int]:
        """Return the classes of all users left to start, in order."""
        return in_order(
            [
                self._places.between(user_class, total, total + count)
                for user_class, (total, count) in enumerate(zip(self._totals, self._starts, strict=True))
            ]
        )[1]

    def latest(self, classes: Iterable[int], worker: int) -> int:
        """Return of which of the classes the worker is to stop a user; it must have one of them to stop."""
        stops = self._stops[worker]
        return max((c for c in classes if stops[c]), key=self._last.__getitem__)

    def fewest(self, user_class: int, workers: int) -> int:
        """Return that of the workers which has the fewest users of the class."""
        return self._holders.fewest(user_class, workers)

    def stop(self, worker: int, user_class: int) -> None:
        """Note that one of the users to stop has stopped."""
        self._stops[worker][user_class] -= 1
        if not self._stops[worker][user_class]:
            self.stopping[user_class] ^= 1 << worker
        self._change(worker, user_class, -1)

    def start(self, worker: int, user_class: int) -> None:
        """Note that one of the users to start has started."""
        self._starts[user_class] -= 1
        self._change(worker, user_class, +1)

    def descent(self, loads: Loads, ideal: Ideal) -> Descent:
        """Return the way down from here."""
        return Descent(
            loads=loads,
            stops=self._stops,
            holders=self._holders,
            order=self._next_stops(),
            ideal=ideal,
            places=self._places,
        )

    def _next_stops(self) -> list[tuple[int, int]]:
        """(Place, class) of all users left to stop, the last place first."""
        left = [sum(by_class[c] for by_class in self._stops) for c in range(len(self._starts))]
        places, classes = in_order(
            [
                self._places.between(user_class, total - count, total)
                for user_class, (total, count) in enumerate(zip(self._totals, left, strict=True))
            ]
        )
        return list(zip(reversed(places), reversed(classes), strict=True))

    def _change(self, worker: int, user_class: int, change: int) -> None:
        self._holders.change(worker, user_class, change)
        self._totals[user_class] += change
        self._last[user_class] = self._places.of(user_class, self._totals[user_class] - 1)


def _mask(users: Iterable[int]) -> int:
    mask = 0
    for worker, count in enumerate(users):
        if count:
            mask |= 1 << worker
    return mask
