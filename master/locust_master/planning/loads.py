"""On which workers the next user is to stop or to start, while a placement is put right.

Workers of one capacity are a table. Among tables the fair sequence of workers decides: the table of which the
last user comes latest stops one, the table whose next user comes earliest starts one. At a table it is the
most loaded workers that stop and the least loaded that start. Sets of workers are bit masks.

Pure: it must never know of which class a user is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from locust_master.planning.share import Places


class Loads:
    """Users by worker, with how many each has left to stop and to start."""

    __slots__ = ("_loads", "_places", "_starts", "_stops", "_table_of", "_tables")

    def __init__(
        self,
        *,
        loads: Sequence[int],
        runners: Sequence[int],
        stops: Sequence[int],
        starts: Sequence[int],
        places: Places,
    ) -> None:
        self._loads = list(loads)
        self._stops = list(stops)
        self._starts = list(starts)
        self._places = places
        self._tables: dict[int, _Table] = {}
        self._table_of: list[_Table] = []
        for worker, capacity in enumerate(runners):
            table = self._tables.setdefault(capacity, _Table(capacity))
            self._table_of.append(table)
            table.users += loads[worker]
            self._sit(worker)

    def heaviest(self) -> int:
        """Return workers of which one is to stop a user; some must have one to stop."""
        table = self._heavy()
        return table.stoppers[max(table.stoppers)]

    def lightest(self) -> int:
        """Return workers of which one is to start a user; some must have one to start."""
        table = self._light()
        return table.starters[min(table.starters)]

    def swap(self) -> tuple[int, int]:
        """Return workers of which one is to stop a user, and workers of which one is to start one."""
        heavy, light = self._heavy(), self._light()
        most, least = max(heavy.stoppers), min(light.starters)
        is_uneven = most > least if heavy is light else self._last_place(heavy) > self._next_place(light)
        if not is_uneven and (both := next(self._stopping_and_starting(), 0)):
            bit = both & -both
            return bit, bit
        return heavy.stoppers[most], light.starters[least]

    def stop(self, worker: int) -> None:
        """Note that the worker stopped a user."""
        self._stops[worker] -= 1
        self._change(worker, -1)

    def start(self, worker: int) -> None:
        """Note that the worker started a user."""
        self._starts[worker] -= 1
        self._change(worker, +1)

    def _heavy(self) -> _Table:
        return max((table for table in self._tables.values() if table.stoppers), key=self._last_place)

    def _light(self) -> _Table:
        return min((table for table in self._tables.values() if table.starters), key=self._next_place)

    def _last_place(self, table: _Table) -> int:
        return self._places.of(table.runners, table.users - 1)

    def _next_place(self, table: _Table) -> int:
        return self._places.of(table.runners, table.users)

    def _stopping_and_starting(self) -> Iterator[int]:
        for table in self._tables.values():
            for load, stoppers in table.stoppers.items():
                if both := stoppers & table.starters.get(load, 0):
                    yield both

    def _change(self, worker: int, change: int) -> None:
        table, bit, load = self._table_of[worker], 1 << worker, self._loads[worker]
        for by_load in (table.stoppers, table.starters):
            if left := by_load.get(load, 0) & ~bit:
                by_load[load] = left
            else:
                by_load.pop(load, None)
        table.users += change
        self._loads[worker] = load + change
        self._sit(worker)

    def _sit(self, worker: int) -> None:
        table, bit, load = self._table_of[worker], 1 << worker, self._loads[worker]
        if self._stops[worker]:
            table.stoppers[load] = table.stoppers.get(load, 0) | bit
        if self._starts[worker]:
            table.starters[load] = table.starters.get(load, 0) | bit


class _Table:
    """Workers of one capacity that have users left to stop, and to start, by load."""

    __slots__ = ("runners", "starters", "stoppers", "users")

    def __init__(self, runners: int) -> None:
        self.runners = runners
        self.users = 0
        self.stoppers: dict[int, int] = {}
        self.starters: dict[int, int] = {}
