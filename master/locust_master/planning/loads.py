"""On which workers the next user is to stop or to start, while a placement is put right.

Workers of one capacity are a table. Its users fill it row by row: a worker's n-th user is in row n, and a row
has as many places as there are workers. So the fair sequence of workers tells at which turn each user of each
worker is due, also where the workers of a table are not even. Whose last user is due latest stops one, whose
next user is due earliest starts one. Sets of workers are bit masks.

Pure: it must never know of which class a user is.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence

from locust_master.planning.places import Places


class Loads:
    """Users by worker, and who has some left to start. `runners` are each worker's."""

    __slots__ = (
        "_loads",
        "_places",
        "_starts",
        "_table_of",
        "_tables",
        "_total",
        "runners",
        "starting",
        "users",
    )

    def __init__(
        self, *, loads: Sequence[int], runners: Sequence[int], starts: Sequence[int], places: Places
    ) -> None:
        self._loads = list(loads)
        self._starts = list(starts)
        self.runners = list(runners)
        self._total = sum(runners) or 1
        self.users = sum(loads)
        self._places = places
        # Workers with users left to start.
        self.starting = sum(1 << worker for worker, users in enumerate(starts) if users)
        tables: dict[int, _Table] = {}
        self._table_of = [tables.setdefault(capacity, _Table(capacity)) for capacity in runners]
        for worker, load in enumerate(loads):
            self._table_of[worker].sit(worker, load)
        self._tables = list(tables.values())

    def heaviest(self, among: int) -> int:
        """Return those of the workers `among` of which one is to stop a user; some must have one."""
        return self._heaviest(among)[1]

    def lightest(self) -> int:
        """Return workers of which one is to start a user; some must have one to start."""
        return self._lightest()[1]

    def swap(self, stopping: int) -> tuple[int, int]:
        """Return workers of which one is to stop a user, of those in `stopping`, and of which one is to
        start one.
        """
        last, heavy = self._heaviest(stopping)
        following, light = self._lightest()
        if last <= following and (both := stopping & self.starting):
            # To move a user would leave the two as uneven, the other way round.
            bit = self._heaviest(both)[1]
            bit &= -bit
            return bit, bit
        return heavy, light

    def stop(self, worker: int) -> None:
        """Note that the worker stopped a user."""
        self._table_of[worker].leave(worker, self._loads[worker], -1)
        self._loads[worker] -= 1
        self.users -= 1

    def start(self, worker: int) -> None:
        """Note that the worker started a user."""
        self._table_of[worker].leave(worker, self._loads[worker], +1)
        self._loads[worker] += 1
        self.users += 1
        self._starts[worker] -= 1
        if not self._starts[worker]:
            self.starting ^= 1 << worker

    def is_fair(self) -> bool:
        """Whether no worker is more than one user from its share."""
        users, total = self.users, self._total
        return all(
            abs(load * total - users * runners) <= total
            for load, runners in zip(self._loads, self.runners, strict=True)
        )

    def is_fair_without(self, worker: int) -> bool:
        """Whether no worker is more than one user from its share once the given one has stopped a user."""
        users, total = self.users - 1, self._total
        if (self._loads[worker] - 1 + 1) * total < users * self.runners[worker]:
            return False
        bit = 1 << worker
        for table in self._tables:
            share = users * table.runners + total
            for load in reversed(table.levels):
                if load * total <= share:
                    break
                if table.workers[load] & ~bit:
                    return False
        return True

    def rounded(self, ends: Sequence[int]) -> list[tuple[int, int]]:
        """Return for each worker whether its share of the users in `ends` is rounded up there, and whether
        down.
        """
        users = sum(ends)
        rests = [users * count % self._total for count in self.runners]
        return [
            (int(rest and end * self._total > users * count), int(rest and end * self._total < users * count))
            for end, count, rest in zip(ends, self.runners, rests, strict=True)
        ]

    def _heaviest(self, among: int) -> tuple[int, int]:
        found = (-1, 0)
        for table in self._tables:
            for load in reversed(table.levels):
                if workers := table.workers[load] & among:
                    turn = (load - 1) * table.seats + table.reaching[load] - 1
                    found = max(found, (self._places.of(table.runners, turn), workers))
                    break
        return found

    def _lightest(self) -> tuple[int, int]:
        found: tuple[int, int] | None = None
        for table in self._tables:
            for load in table.levels:
                if workers := table.workers[load] & self.starting:
                    turn = load * table.seats + table.reaching.get(load + 1, 0)
                    here = (self._places.of(table.runners, turn), workers)
                    found = here if found is None else min(found, here)
                    break
        assert found is not None
        return found


class _Table:
    """Workers of one capacity by load: `levels` are the loads there are, in order, and `reaching[n]` is how
    many workers have n users or more.
    """

    __slots__ = ("levels", "reaching", "runners", "seats", "workers")

    def __init__(self, runners: int) -> None:
        self.runners = runners
        self.seats = 0
        self.workers: dict[int, int] = {}
        self.levels: list[int] = []
        self.reaching: dict[int, int] = {}

    def sit(self, worker: int, load: int) -> None:
        """A worker comes."""
        self.seats += 1
        for row in range(1, load + 1):
            self.reaching[row] = self.reaching.get(row, 0) + 1
        self._add(1 << worker, load)

    def leave(self, worker: int, load: int, change: int) -> None:
        """A worker with `load` users has one more or one less."""
        bit = 1 << worker
        if left := self.workers[load] ^ bit:
            self.workers[load] = left
        else:
            del self.workers[load]
            self.levels.remove(load)
        self._add(bit, load + change)
        row = load + (change > 0)
        self.reaching[row] = self.reaching.get(row, 0) + change

    def _add(self, bit: int, load: int) -> None:
        if load in self.workers:
            self.workers[load] |= bit
        else:
            self.workers[load] = bit
            insort(self.levels, load)
