"""Deals a worker's share to its runners, so that they run the same number of users at every moment.

The agent gets one schedule for each user class and has one runner for each core; users by runner, over all
classes, stay within one of each other, or one core would be the bottleneck while another idles. At every
moment the runners' schedules add up to the worker's, class by class, and every change keeps its due time.

Pure: it must never know which process a runner is, nor what time it is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter

from locust_protocol.schedule import UserSchedule, changes, compress


def split_schedules(
    schedules: Sequence[UserSchedule],
    runners: int,
    *,
    current: Sequence[Mapping[str, int]] | None = None,
    alive: Sequence[bool] | None = None,
) -> list[tuple[UserSchedule, ...]]:
    """Return each runner's schedules; a runner without users, or not alive, has none.

    `current` is what each runner runs now (class → users): users stay where they are as far as the balance
    allows. Where the schedules' base differs from it (a runner died, say), the returned bases have the
    difference, at once: who applies them decides how fast. `alive` excludes runners; with none alive
    nothing is dealt. Equal input gives equal output. Each class has one schedule, which must never stop a
    user that it does not have (ValueError).
    """
    living = [slot for slot in range(runners) if alive is None or alive[slot]]
    if not living:
        return [() for _ in range(runners)]
    hands = _Hands(current=current or [{} for _ in range(runners)], living=living)
    for schedule in schedules:
        hands.reduce(schedule.user_class, schedule.base_users)
    hands.drop_all_but({schedule.user_class for schedule in schedules})
    for schedule in schedules:
        hands.raise_to(schedule.user_class, schedule.base_users)
    hands.level()
    bases = {slot: dict(hands.users[slot]) for slot in living}

    timed: dict[int, dict[str, list[tuple[int, int]]]] = {slot: {} for slot in living}
    for due_us, stops, starts in _by_due_time(schedules):
        moved: list[tuple[int, str, int]] = []
        moved.extend((hands.stop(name), name, -1) for name in stops)
        moved.extend((hands.start(name), name, +1) for name in starts)
        moved.extend(hands.level())
        for slot, name, change in _net(moved):
            timed[slot].setdefault(name, []).append((due_us, change))

    names = dict.fromkeys(schedule.user_class for schedule in schedules)
    return [
        tuple(
            compress(name, bases[slot].get(name, 0), timed[slot].get(name, ()))
            for name in names
            if bases[slot].get(name, 0) or name in timed[slot]
        )
        if slot in timed
        else ()
        for slot in range(runners)
    ]


class _Hands:
    """The users that each living runner has, as they are dealt."""

    def __init__(self, *, current: Sequence[Mapping[str, int]], living: Sequence[int]) -> None:
        self.users = {slot: {name: n for name, n in current[slot].items() if n > 0} for slot in living}
        self._loads = {slot: sum(by_class.values()) for slot, by_class in self.users.items()}

    def start(self, name: str) -> int:
        """Start one on a least loaded runner, of those on the one with fewest of the class; say which."""
        slot = min(self._loads, key=lambda slot: (self._loads[slot], self.users[slot].get(name, 0), slot))
        self._change(slot, name, +1)
        return slot

    def stop(self, name: str) -> int:
        """Stop one on the most loaded runner that has the class, of those on the one with most of it."""
        having = [slot for slot, by_class in self.users.items() if by_class.get(name, 0)]
        slot = max(having, key=lambda slot: (self._loads[slot], self.users[slot][name], slot))
        self._change(slot, name, -1)
        return slot

    def level(self) -> list[tuple[int, str, int]]:
        """Move users until loads are within one of each other; return each (runner, class, change)."""
        moved: list[tuple[int, str, int]] = []
        while True:
            heavy = max(self._loads, key=lambda slot: (self._loads[slot], slot))
            light = min(self._loads, key=lambda slot: (self._loads[slot], slot))
            if self._loads[heavy] - self._loads[light] <= 1:
                return moved
            have, get = self.users[heavy], self.users[light]
            name = max(sorted(have), key=lambda name: have[name] - get.get(name, 0))
            self._change(heavy, name, -1)
            self._change(light, name, +1)
            moved += [(heavy, name, -1), (light, name, +1)]

    def reduce(self, name: str, users: int) -> None:
        """Stop users of the class until no more than `users` run."""
        for _ in range(self._running(name) - users):
            self.stop(name)

    def raise_to(self, name: str, users: int) -> None:
        """Start users of the class until at least `users` run."""
        for _ in range(users - self._running(name)):
            self.start(name)

    def drop_all_but(self, wanted: Iterable[str]) -> None:
        """Stop every user of a class that is not wanted."""
        kept = set(wanted)
        for slot, by_class in self.users.items():
            self.users[slot] = {name: users for name, users in by_class.items() if name in kept}
            self._loads[slot] = sum(self.users[slot].values())

    def _running(self, name: str) -> int:
        return sum(by_class.get(name, 0) for by_class in self.users.values())

    def _change(self, slot: int, name: str, change: int) -> None:
        left = self.users[slot].get(name, 0) + change
        if left:
            self.users[slot][name] = left
        else:
            del self.users[slot][name]
        self._loads[slot] += change


def _by_due_time(schedules: Sequence[UserSchedule]) -> Iterator[tuple[int, list[str], list[str]]]:
    """Yield (due time, classes to stop one of, classes to start one of), for each due time in order."""
    merged = sorted(
        (due_us, order, change)
        for order, schedule in enumerate(schedules)
        for due_us, change in changes(schedule)
    )
    for due_us, rows in groupby(merged, key=itemgetter(0)):
        at_once = [(schedules[order].user_class, change) for _, order, change in rows]
        yield (
            due_us,
            [name for name, change in at_once if change < 0],
            [name for name, change in at_once if change > 0],
        )


def _net(moved: Iterable[tuple[int, str, int]]) -> Iterator[tuple[int, str, int]]:
    """Changes at one moment, without those that cancel each other on the same runner and class."""
    sums: dict[tuple[int, str], int] = {}
    for slot, name, change in moved:
        sums[slot, name] = sums.get((slot, name), 0) + change
    for (slot, name), total in sums.items():
        for _ in range(abs(total)):
            yield slot, name, 1 if total > 0 else -1
