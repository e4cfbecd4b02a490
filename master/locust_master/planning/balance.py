"""A working copy of a placement that knows, for one user more or less, which worker it should be.

Used when what is running is not what the deal would have placed: after a worker was lost or joined, or the
classes were changed. Workers of one capacity form a table (see deal); a table's workers are kept by load,
as bit masks, so that "the least loaded of these that has such a user" is a few operations on integers.

Pure: it must never know why a user is started or stopped, or when.
"""

from collections.abc import Iterator, Mapping, Sequence

from locust_master.planning.placement import Placement, WorkerCapacity


class _Table:
    """Workers of one capacity. `wanted` users are to be here in the end, spread to within one."""

    __slots__ = ("by_load", "runners", "seats", "users", "wanted")

    def __init__(self, runners: int, wanted: int) -> None:
        self.runners = runners
        self.wanted = wanted
        self.seats = 0
        self.users = 0
        self.by_load: dict[int, int] = {}

    def sit(self, bit: int, load: int) -> None:
        self.by_load[load] = self.by_load.get(load, 0) | bit

    def move(self, bit: int, load: int, change: int) -> None:
        left = self.by_load[load] ^ bit
        if left:
            self.by_load[load] = left
        else:
            del self.by_load[load]
        self.sit(bit, load + change)
        self.users += change

    def loads_above(self) -> Iterator[int]:
        """Loads, highest first, of which a worker has a user too many for the end."""
        floor, rest = divmod(self.wanted, self.seats)
        heavier = 0
        for load in sorted(self.by_load, reverse=True):
            heavier += self.by_load[load].bit_count()
            if load > floor + 1 or (load == floor + 1 and heavier > rest):
                yield load
            else:
                return

    def load_below(self) -> int | None:
        """The lowest load, when a worker that has it lacks a user for the end."""
        floor, rest = divmod(self.wanted, self.seats)
        lowest = min(self.by_load)
        if lowest < floor:
            return lowest
        at_floor = self.by_load[lowest].bit_count() if lowest == floor else 0
        return lowest if at_floor > self.seats - rest else None


class Balance:
    """Users by worker and class, on the way to `wanted` users by capacity (runners → users).

    Each of `start`, `stop` and `move` changes the copy and says which worker it is.
    """

    def __init__(
        self, *, current: Placement, workers: Sequence[WorkerCapacity], wanted: Mapping[int, int]
    ) -> None:
        self._names = [worker.worker for worker in workers]
        self._tables: dict[int, _Table] = {}
        self._table_of: dict[str, _Table] = {}
        self._bits = {worker.worker: 1 << index for index, worker in enumerate(workers)}
        self._users = {worker.worker: dict(current.get(worker.worker, {})) for worker in workers}
        self._loads = {name: sum(by_class.values()) for name, by_class in self._users.items()}
        self._having: dict[str, int] = {}
        for worker in workers:
            table = self._tables.setdefault(
                worker.runners, _Table(worker.runners, wanted.get(worker.runners, 0))
            )
            name = worker.worker
            self._table_of[name] = table
            table.seats += 1
            table.users += self._loads[name]
            table.sit(self._bits[name], self._loads[name])
            for user_class, users in self._users[name].items():
                if users > 0:
                    self._having[user_class] = self._having.get(user_class, 0) | self._bits[name]

    def start(self, user_class: str, *, home: str | None, turn: int | None, turn_users: int) -> str:
        """Start one user: on the table whose turn it is while that has fewer than `turn_users` users.

        Else on the table furthest below. There on a least loaded worker, `home` if it is one of them.
        """
        table = self._tables.get(turn) if turn is not None else None
        if table is None or table.users >= turn_users or table.load_below() is None:
            below = [t for t in self._tables.values() if t.load_below() is not None]
            able = below or [t for t in self._tables.values() if t.runners > 0]
            table = min(able, key=_room)
        lightest = table.by_load[min(table.by_load)]
        # A worker without this class is better than one with it, for the mix on each worker.
        fresh = lightest & ~self._having.get(user_class, 0)
        name = (
            self._choose(lightest, home)
            if self._is_in(home, lightest)
            else self._choose(fresh or lightest, None)
        )
        self._change(name, user_class, +1)
        return name

    def stop(self, user_class: str, *, home: str | None, turn: int | None, turn_users: int) -> str:
        """Stop one user of a class that runs: on the table whose turn it is while that has more users
        than `turn_users`, there on a most loaded worker that has the class, `home` if it is one of them;
        else on the worker furthest above its share that has it.
        """
        having = self._having[user_class]
        table = self._tables.get(turn) if turn is not None else None
        if table is not None and table.users > turn_users:
            heaviest = table.by_load[max(table.by_load)] & having
            if heaviest:
                return self._stopped(heaviest, home, user_class)
        above = [
            (_weight(load, t), t.by_load[load] & having)
            for t in self._tables.values()
            for load in t.loads_above()
            if t.by_load[load] & having
        ]
        if not above:
            above = [
                (_weight(load, t), bits & having)
                for t in self._tables.values()
                for load, bits in t.by_load.items()
                if bits & having
            ]
        return self._stopped(max(above)[1], home, user_class)

    def move(self) -> tuple[str, str, str] | None:
        """Move one user from the worker furthest above to the one furthest below: (class, from, to).

        None when every worker is where it should be.
        """
        above = [
            (_weight(load, t), t.by_load[load])
            for t in self._tables.values()
            if (load := next(t.loads_above(), None)) is not None
        ]
        if not above:
            return None
        source = self._choose(max(above)[1], None)
        table = min((t for t in self._tables.values() if t.load_below() is not None), key=_room)
        target = self._choose(table.by_load[min(table.by_load)], None)
        have, get = self._users[source], self._users[target]
        # The class of which the source has most by capacity, as seen from the target: moving it evens out
        # the mix on both.
        source_runners = self._table_of[source].runners
        user_class = max(
            (name for name, users in have.items() if users > 0),
            key=lambda name: have[name] * table.runners - get.get(name, 0) * source_runners,
        )
        self._change(source, user_class, -1)
        self._change(target, user_class, +1)
        return user_class, source, target

    def _stopped(self, candidates: int, home: str | None, user_class: str) -> str:
        name = self._choose(candidates, home)
        self._change(name, user_class, -1)
        return name

    def _is_in(self, name: str | None, candidates: int) -> bool:
        return name is not None and bool(self._bits.get(name, 0) & candidates)

    def _choose(self, candidates: int, home: str | None) -> str:
        if home is not None and self._is_in(home, candidates):
            return home
        return self._names[(candidates & -candidates).bit_length() - 1]

    def _change(self, name: str, user_class: str, change: int) -> None:
        users = self._users[name]
        bit = self._bits[name]
        users[user_class] = users.get(user_class, 0) + change
        if users[user_class] > 0:
            self._having[user_class] = self._having.get(user_class, 0) | bit
        else:
            self._having[user_class] &= ~bit
        self._table_of[name].move(bit, self._loads[name], change)
        self._loads[name] += change


def _room(table: _Table) -> float:
    """How full the table's least loaded worker would be by capacity: the lower, the more room."""
    return (min(table.by_load) + 0.5) / table.runners if table.runners else float("inf")


def _weight(load: int, table: _Table) -> float:
    """How full a worker with `load` users is by capacity."""
    return (load - 0.5) / table.runners if table.runners else float("inf")
