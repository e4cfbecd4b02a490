"""The deal: which class on which worker the first user is, the second, and so on, starting from nothing.

It joins two fair sequences, one of classes and one of workers by capacity. Workers of equal capacity that
are equally due may change places without harm to either law, so a class takes the one that has waited
longest for a user of it; without that, two classes of equal weight on two workers would end as one worker
with all of the first class and one with all of the second.

The deal depends only on the goal's classes and the workers. So a ramp up follows it forward, a ramp down
back, and a placement reached in many steps is the same as one reached at once. It is enumerated as far as
somebody asks, once, into four bytes a user.

Pure: it must never look at what is running.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice

from locust_master.planning.goal import ClassShare, class_order, placeable_users
from locust_master.planning.placement import Placement, WorkerCapacity
from locust_master.planning.share import fair_sequence

# Deals kept for the next plan (count). A load shape's ticks and an operator's edits change the users and the
# rate, seldom the classes or the workers; a run needs one, and one more on each side of a change.
MAX_KEPT_DEALS = 4

# Users by which a share in floating point may be off (count): shares are of at most some 10^8 users.
ROUNDING = 1e-6


class Deal:
    """Users in the order they are dealt, each packed as `worker index * classes + class index`.

    At every prefix, users by class and users by worker are each less than one from their shares.
    """

    __slots__ = ("_codes", "_dealing", "_latest", "_runners", "_shares", "classes", "workers")

    def __init__(self, shares: Sequence[ClassShare], workers: Sequence[WorkerCapacity]) -> None:
        self.classes = tuple(share.name for share in shares)
        self.workers = tuple(worker.worker for worker in workers)
        self._runners = tuple(worker.runners for worker in workers)
        has_runners = any(self._runners)
        self._shares = tuple(shares) if has_runners else ()
        self._codes = array("I")
        self._latest: tuple[int, Placement] = (-1, {})
        self._dealing = _dealt(self._shares, workers)

    @property
    def enumerated(self) -> int:
        """Users dealt so far, for whoever watches what a plan costs."""
        return len(self._codes)

    def reach(self, users: int) -> int:
        """Return how many of `users` users can be dealt: fewer when only fixed counts are left."""
        return placeable_users(self._shares, users)

    def codes(self, users: int) -> array[int]:
        """Return the first users, `users` of them at least; to be read only. `users` must be in reach."""
        missing = users - len(self._codes)
        if missing > 0:
            self._codes.extend(islice(self._dealing, missing))
        return self._codes

    def placement(self, users: int) -> Placement:
        """Return where the first `users` users are; every worker, no class without users.

        The latest answer is kept: at rest the same is asked for again and again.
        """
        if self._latest[0] == users:
            return self._latest[1]
        placed: dict[str, dict[str, int]] = {worker: {} for worker in self.workers}
        width = len(self.classes)
        for code, count in Counter(self.codes(users)[:users]).items():
            worker, user_class = divmod(code, width)
            placed[self.workers[worker]][self.classes[user_class]] = count
        self._latest = users, placed
        return placed

    def is_placed(self, placement: Placement, users: int) -> bool:
        """Whether exactly the first `users` users run, `users` being how many run in all."""
        if self.reach(users) < users or not self._is_fair(placement, users):
            return False
        # Classes are told a good deal faster than users: most of what a lost worker left is told from them.
        if users > len(self._codes) and not self._is_mixed(placement, users):
            return False
        dealt = self.placement(users)
        return all(
            {name: count for name, count in placement.get(worker, {}).items() if count > 0} == by_class
            for worker, by_class in dealt.items()
        )

    def _is_mixed(self, placement: Placement, users: int) -> bool:
        """Whether each class has just the users that it has among the first of the deal."""
        by_class: Counter[str] = Counter()
        for worker in self.workers:
            by_class.update(placement.get(worker, {}))
        dealt = Counter(islice(class_order(self._shares), users))
        return +by_class == {self.classes[index]: count for index, count in dealt.items()}

    def _is_fair(self, placement: Placement, users: int) -> bool:
        """Whether the deal's laws hold: what it never made is told without dealing users to compare with."""
        by_class: Counter[str] = Counter()
        capacity = sum(self._runners) or 1
        for worker, runners in zip(self.workers, self._runners, strict=True):
            by_class.update(placement.get(worker, {}))
            if abs(sum(placement.get(worker, {}).values()) * capacity - users * runners) >= capacity:
                return False
        if any(share.fixed_count > 0 for share in self._shares):
            return True
        weights = sum(share.weight for share in self._shares)
        return all(
            abs(by_class.pop(share.name, 0) - users * share.weight / weights) < 1 + ROUNDING
            for share in self._shares
            if weights
        ) and not any(by_class.values())


@lru_cache(maxsize=MAX_KEPT_DEALS)
def deal_of(shares: tuple[ClassShare, ...], workers: tuple[WorkerCapacity, ...]) -> Deal:
    """Return the deal of these classes to these workers; the same object as before while it is kept."""
    return Deal(shares, workers)


def _dealt(shares: Sequence[ClassShare], workers: Sequence[WorkerCapacity]) -> Iterator[int]:
    """Yield the packed users. Hot: it runs once for every user of the cluster (0.4 µs each)."""
    # Workers of one capacity are seats at one table. A round at a table is over when each seat has had one
    # user; within a round any order is equally fair, so the class may choose its seat.
    runners = [worker.runners for worker in workers]
    tables: dict[int, _Table] = {}
    width = len(shares)
    for index, count in enumerate(runners):
        tables.setdefault(count, _Table(width)).seats.append(index)
    for table in tables.values():
        table.open()
    turns = map(tables.__getitem__, map(runners.__getitem__, fair_sequence(runners)))
    for user_class, table in zip(class_order(shares), turns, strict=False):
        seated = table.seated
        waiting = table.waiting[user_class]
        place = table.passed[user_class]
        while seated[waiting[place]]:
            place += 1
        table.passed[user_class] = place
        seat = waiting.pop(place)
        waiting.append(seat)
        table.free -= 1
        if table.free:
            seated[seat] = 1
        else:
            table.open_round()
        yield table.seats[seat] * width + user_class


class _Table:
    """Workers of one capacity. `waiting[c]` has the seats by how long they have waited for class c.

    The first `passed[c]` of them have had their user of this round.
    """

    __slots__ = ("_width", "free", "passed", "seated", "seats", "waiting")

    def __init__(self, width: int) -> None:
        self._width = width
        self.seats: list[int] = []
        self.waiting: list[list[int]] = []

    def open(self) -> None:
        """Everybody is there; the first round begins."""
        self.waiting = [list(range(len(self.seats))) for _ in range(self._width)]
        self.open_round()

    def open_round(self) -> None:
        self.seated = bytearray(len(self.seats))
        self.passed = [0] * self._width
        self.free = len(self.seats)
