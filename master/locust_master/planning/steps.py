"""The way from what is running to the goal, user by user.

Where what is running is what the deal would have placed, the way is the deal itself, forward or back. Where
it is not (a worker was lost or joined, classes were changed) the way starts what is missing, stops what is
too many, and moves no more users than it must: first the mix is put right, then the total, then the balance
of the workers. Every turn at the spawn rate starts one user, or stops one, or stops one and starts one, the
stop first; so the total never passes the larger of what is running and the goal.

Pure: it must never know what time it is.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, zip_longest

from locust_master.planning.balance import Balance
from locust_master.planning.deal import deal
from locust_master.planning.goal import Goal
from locust_master.planning.placement import Placement, Step, WorkerCapacity, due_times
from locust_master.planning.share import fair_sequence

# (user class, worker)
_Seat = tuple[str, str]

# What one turn at the spawn rate does: the user to stop, if any, and the user to start, if any.
_Turn = tuple[_Seat | None, _Seat | None]


def plan_steps(
    *, current: Placement, goal: Goal, workers: Sequence[WorkerCapacity], start_us: int
) -> list[Step]:
    """Return the steps from `current` to `goal`, in order; the k-th turn is due at start_us + k/spawn_rate.

    Users that `current` has on a worker which is not among `workers` are gone, and are what is missing. The
    result is empty without workers that have runners, unless there is something to stop. Raises ValueError
    for a spawn rate that is not above 0.
    """
    rows = timed_changes(current=current, goal=goal, workers=workers, start_us=start_us)
    return [Step(*row) for row in rows]


def timed_changes(
    *, current: Placement, goal: Goal, workers: Sequence[WorkerCapacity], start_us: int
) -> Iterator[tuple[int, str, str, int]]:
    """Yield the fields of `plan_steps`' steps: a plan of 100,000 users has no time to make them objects."""
    live = _live_part(current, workers)
    turns = _turns(live, goal=goal, workers=workers)
    dues = due_times(start_us=start_us, spawn_rate=goal.spawn_rate)
    for due_us, (stop, start) in zip(dues, turns, strict=False):
        if stop is not None:
            yield due_us, stop[1], stop[0], -1
        if start is not None:
            yield due_us, start[1], start[0], +1


def _live_part(current: Placement, workers: Sequence[WorkerCapacity]) -> dict[str, dict[str, int]]:
    """What runs on the given workers, every worker named, no class without users."""
    return {
        worker.worker: {name: users for name, users in current.get(worker.worker, {}).items() if users > 0}
        for worker in workers
    }


def _turns(live: Placement, *, goal: Goal, workers: Sequence[WorkerCapacity]) -> Iterable[_Turn]:
    running = sum(sum(by_class.values()) for by_class in live.values())
    dealt = list(islice(deal(goal.classes, workers), max(running, goal.users)))
    target = min(goal.users, len(dealt))
    if _is_dealt(live, dealt, running):
        if target >= running:
            return ((None, seat) for seat in dealt[running:target])
        return ((seat, None) for seat in reversed(dealt[target:running]))
    return _repair(live, dealt=dealt, target=target, workers=workers)


def _is_dealt(live: Placement, dealt: Sequence[_Seat], running: int) -> bool:
    """Whether exactly the first `running` users of the deal are running."""
    if running > len(dealt):
        return False
    expected = Counter(dealt[:running])
    return len(expected) == sum(len(by_class) for by_class in live.values()) and all(
        expected[user_class, worker] == users
        for worker, by_class in live.items()
        for user_class, users in by_class.items()
    )


def _repair(
    live: Placement, *, dealt: Sequence[_Seat], target: int, workers: Sequence[WorkerCapacity]
) -> Iterator[_Turn]:
    """Turns from a placement that the deal would not have made."""
    have: Counter[str] = Counter()
    for by_class in live.values():
        have.update(by_class)
    stops, starts = _class_changes(have, dealt, target)
    capacity = {worker.worker: worker.runners for worker in workers}
    wanted = Counter(capacity[worker] for _, worker in dealt[:target])
    balance = Balance(current=live, workers=workers, wanted=wanted)
    guide = _Guide(dealt, capacity, have)
    for stop_class, start_class in zip_longest(stops, starts):
        stop = start = None
        if stop_class is not None:
            home, turn, turn_users = guide.fewer(stop_class)
            worker = balance.stop(stop_class, home=home, turn=turn, turn_users=turn_users)
            stop = (stop_class, worker)
        if start_class is not None:
            home, turn, turn_users = guide.more(start_class)
            worker = balance.start(start_class, home=home, turn=turn, turn_users=turn_users)
            start = (start_class, worker)
        yield stop, start
    while (moved := balance.move()) is not None:
        user_class, source, destination = moved
        yield (user_class, source), (user_class, destination)


def _class_changes(
    have: Mapping[str, int], dealt: Sequence[_Seat], target: int
) -> tuple[list[str], list[str]]:
    """Classes to stop a user of and classes to start a user of, each in order; no class is in both.

    A class's first users count as the first of it that were dealt. So what comes earliest in the sequence
    is started first, and what comes latest is stopped first.
    """
    seen: Counter[str] = Counter()
    starts: list[str] = []
    late: list[str] = []
    for position, (user_class, _) in enumerate(dealt):
        is_running = seen[user_class] < have.get(user_class, 0)
        seen[user_class] += 1
        if position < target and not is_running:
            starts.append(user_class)
        elif position >= target and is_running:
            late.append(user_class)
    # Users that the deal would not have at all, of classes that the goal no longer names for example.
    never = {name: users - seen[name] for name, users in have.items() if users > seen[name]}
    names = list(never)
    picks = islice(fair_sequence(list(never.values())), sum(never.values()))
    return list(chain((names[pick] for pick in picks), reversed(late))), starts


class _Guide:
    """Where the deal stands as users come and go: whose turn it is, and each class's next home."""

    def __init__(self, dealt: Sequence[_Seat], capacity: Mapping[str, int], have: Mapping[str, int]) -> None:
        self._dealt = dealt
        self._capacity = capacity
        self._have = Counter(have)
        self._users = self._have.total()
        self._turn_users = Counter(capacity[worker] for _, worker in dealt[: self._users])
        self._homes: dict[str, list[str]] = {}
        for user_class, worker in dealt:
            self._homes.setdefault(user_class, []).append(worker)

    def more(self, user_class: str) -> tuple[str | None, int | None, int]:
        """One user more: (its home, the table whose turn it is, users that table is then to have)."""
        home = self._home(user_class, self._have[user_class])
        self._have[user_class] += 1
        turn = self._turn(self._users)
        self._users += 1
        if turn is not None:
            self._turn_users[turn] += 1
        return home, turn, self._turn_users[turn] if turn is not None else 0

    def fewer(self, user_class: str) -> tuple[str | None, int | None, int]:
        """One user fewer: (its home, the table whose turn it is, users that table is then to have)."""
        self._have[user_class] -= 1
        home = self._home(user_class, self._have[user_class])
        self._users -= 1
        turn = self._turn(self._users)
        if turn is not None:
            self._turn_users[turn] -= 1
        return home, turn, self._turn_users[turn] if turn is not None else 0

    def _home(self, user_class: str, index: int) -> str | None:
        homes = self._homes.get(user_class, [])
        return homes[index] if index < len(homes) else None

    def _turn(self, position: int) -> int | None:
        return self._capacity[self._dealt[position][1]] if position < len(self._dealt) else None
