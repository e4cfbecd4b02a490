"""Who gets the next user: the users that each of some runners has, while they are dealt one by one.

Loads, over all classes, are kept within one of each other. Dealing is the agent's heaviest computation (a
ramp of 50,000 users is dealt while its loop waits), so runners of least and of greatest load are kept at hand
instead of being looked for at each user.

Pure. Runners are places from 0 here, user classes are numbers; who they are is the caller's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Move = tuple[int, int, int]
"""(place of the runner, class, change of its users)."""


class Hands:
    """The users of each runner as they are dealt."""

    __slots__ = ("_high", "_low", "is_level", "loads", "users")

    def __init__(self, users: Sequence[Sequence[int]]) -> None:
        """`users[class][place]` is what runs now."""
        self.users = [list(row) for row in users]
        """By class, then by place."""
        self.loads: list[int] = [sum(column) for column in zip(*self.users, strict=True)]
        """By place, over all classes."""
        self.is_level = False
        """True when loads are known to be within one of each other."""
        self._low: list[int] = []
        """Places of least load, in order, that are left to choose from; empty: to be looked for."""
        self._high: list[int] = []
        """Places of greatest load, likewise."""

    def start(self, numbers: Iterable[int]) -> list[int]:
        """Starts one user of each class in turn; says where.

        Each goes to a least loaded runner, of those to the one with fewest of the class.
        """
        users, loads, low = self.users, self.loads, self._low
        self._high = []
        places: list[int] = []
        note = places.append
        for number in numbers:
            row = users[number]
            if len(low) == 1:
                place = low.pop()
            else:
                if not low:
                    least = min(loads)
                    low += [place for place, load in enumerate(loads) if load == least]
                place = min(low, key=row.__getitem__)
                low.remove(place)
            row[place] += 1
            loads[place] += 1
            note(place)
        return places

    def stop(self, number: int) -> int:
        """Stops one on the most loaded runner that has the class, of those on the one with most of it.

        Raises ValueError when none has it.
        """
        row, high = self.users[number], self._high
        if not high:
            most = max(self.loads)
            high += [place for place, load in enumerate(self.loads) if load == most]
        place = max(high, key=row.__getitem__)
        if row[place]:
            high.remove(place)
        else:
            having = [(self.loads[place], users, -place) for place, users in enumerate(row) if users]
            place = -max(having)[2]
            self.is_level = False
        row[place] -= 1
        self.loads[place] -= 1
        self._low = []
        return place

    def level(self) -> list[Move]:
        """Moves users until loads are within one of each other; returns what it changed."""
        moved: list[Move] = []
        if self.is_level:
            return moved
        loads = self.loads
        while max(loads) - min(loads) > 1:
            heavy = max(range(len(loads)), key=lambda place: (loads[place], place))
            light = loads.index(min(loads))
            number = max(range(len(self.users)), key=lambda each: self._surplus(each, heavy, light))
            self.users[number][heavy] -= 1
            self.users[number][light] += 1
            loads[heavy] -= 1
            loads[light] += 1
            moved += [(heavy, number, -1), (light, number, +1)]
            self._low, self._high = [], []
        self.is_level = True
        return moved

    def bring_to(self, wanted: Sequence[int]) -> None:
        """Stops and starts users until as many run of each class, then levels."""
        for number, users in enumerate(wanted):
            while (surplus := sum(self.users[number]) - users) > 0:
                each = min(surplus // len(self.loads), *self.users[number]) if self._is_even else 0
                if each:
                    self._change_all(number, -each)
                else:
                    self.stop(number)
        for number, users in enumerate(wanted):
            while (missing := users - sum(self.users[number])) > 0:
                each = missing // len(self.loads) if self._is_even else 0
                if each:
                    self._change_all(number, each)
                else:
                    self.start([number])
        self.level()

    @property
    def _is_even(self) -> bool:
        return min(self.loads) == max(self.loads)

    def _change_all(self, number: int, change: int) -> None:
        """Changes every runner alike, as so many rounds of single users would."""
        self.users[number] = [users + change for users in self.users[number]]
        self.loads = [load + change for load in self.loads]
        self._low, self._high = [], []

    def _surplus(self, number: int, heavy: int, light: int) -> int:
        """How many more of a class the heavy one has; below all others where it has none to give."""
        row = self.users[number]
        return row[heavy] - row[light] if row[heavy] else -max(self.loads) - 1
