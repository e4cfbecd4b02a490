"""The deal: which class on which worker the first user is, the second, and so on, starting from nothing.

It joins two fair sequences, one of classes and one of workers by capacity. Among workers that are equally
due, a class takes one that has the fewest of it; without that, two classes of equal weight on two workers
would end as one worker with all of the first class and one with all of the second.

The deal depends only on the goal's classes and the workers. So a ramp up follows it forward, a ramp down
back, and a placement reached in many steps is the same as one reached at once.

Pure: it must never look at what is running.
"""

from collections.abc import Iterator, Sequence

from locust_master.planning.goal import ClassShare, class_sequence
from locust_master.planning.placement import WorkerCapacity
from locust_master.planning.share import fair_sequence


def deal(classes: Sequence[ClassShare], workers: Sequence[WorkerCapacity]) -> Iterator[tuple[str, str]]:
    """Yield (user class, worker) of the first user, the second, and so on.

    At every prefix, users by class and users by worker are each less than one from their shares. Ends when
    the class sequence does; empty when no worker has a runner.
    """
    # Workers of one capacity are seats at one table. A round at a table is over when each seat has had one
    # user; within a round any order is equally fair, so the class may choose its seat.
    tables: dict[int, list[str]] = {}
    for worker in workers:
        tables.setdefault(worker.runners, []).append(worker.worker)
    table_of = [worker.runners for worker in workers]
    everyone = {runners: (1 << len(names)) - 1 for runners, names in tables.items()}
    free = dict(everyone)
    seatings: dict[int, dict[str, _Seating]] = {runners: {} for runners in tables}

    turns = map(table_of.__getitem__, fair_sequence(table_of))
    for user_class, table in zip(class_sequence(classes), turns, strict=False):
        seating = seatings[table].get(user_class)
        if seating is None:
            seating = seatings[table][user_class] = _Seating(everyone[table])
        bit = seating.take(free[table])
        free[table] = free[table] ^ bit or everyone[table]
        yield user_class, tables[table][bit.bit_length() - 1]


class _Seating:
    """How many users of one class each seat of a table has, as a bit mask of seats for each number.

    Masks, since `take` runs once for every user of the cluster: 100,000 on 100 workers take 0.1 s.
    """

    __slots__ = ("_fewest", "_having")

    def __init__(self, everyone: int) -> None:
        self._fewest = 0
        self._having = [everyone, 0]

    def take(self, free: int) -> int:
        """Seat one more on the free seat with the fewest; return its bit."""
        having = self._having
        users = self._fewest
        while not (candidates := having[users] & free):
            users += 1
        bit = candidates & -candidates
        having[users] ^= bit
        having[users + 1] |= bit
        if users + 2 == len(having):
            having.append(0)
        if not having[self._fewest]:
            self._fewest += 1
        return bit
