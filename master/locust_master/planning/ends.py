"""Which users stop on the way down and which stay: given, but not for good.

A worker that has none of a class to stop may stop one all the same if others make up for it, so that in the
end each class has stopped as many as before and each worker has its share, rounded down or up. Each then
stops one of another class in place of one, round a ring. Sets of workers are bit masks.

Pure: it must never decide who stops next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence


class Ends:
    """Users left to stop and users that stay, by worker and class.

    `rounded[w]` says whether a worker's share in the end is rounded up, and whether down: that is one more
    class, of which nobody ever stops.
    """

    __slots__ = ("_classes", "_stays", "staying", "stopping", "stops")

    def __init__(
        self,
        *,
        users: Sequence[Sequence[int]],
        stops: Sequence[Sequence[int]],
        rounded: Sequence[tuple[int, int]],
        classes: int,
    ) -> None:
        self._classes = classes + 1
        self.stops = [[*by_class, up] for by_class, (up, _) in zip(stops, rounded, strict=True)]
        self._stays = [
            [*(have - stop for have, stop in zip(by_class, stopped, strict=True)), down]
            for by_class, stopped, (_, down) in zip(users, stops, rounded, strict=True)
        ]
        # By class: workers that have one of it to stop, and workers of which one stays.
        self.stopping = [_mask(self.stops, c) for c in range(self._classes)]
        self.staying = [_mask(self._stays, c) for c in range(self._classes)]

    def may_stop(self, worker: int, user_class: int) -> bool:
        """Whether the worker may stop a user of the class, if need be in place of others."""
        return self.stops[worker][user_class] > 0 or self._ring(worker, user_class) is not None

    def stop(self, worker: int, user_class: int) -> None:
        """Note that the worker, which may, stopped a user of the class."""
        if not self.stops[worker][user_class]:
            for other, more, less in self._ring(worker, user_class) or ():
                self._move(other, more, +1)
                self._move(other, less, -1)
        self._add(worker, user_class, -1)

    def take_back(self, worker: int, user_class: int) -> None:
        """Note that a user that stopped has not."""
        self._add(worker, user_class, +1)

    def _ring(self, worker: int, user_class: int) -> list[tuple[int, int, int]] | None:
        """Who stops what in place of what, so that the worker may stop one of the class: (worker, more,
        less).
        """
        # By class: the class that is stopped in its place by another worker, and that worker.
        found: dict[int, tuple[int, int]] = {}
        waiting = deque(c for c in range(self._classes) if self.stops[worker][c])
        first = set(waiting)
        others = ~(1 << worker)
        while waiting:
            more = waiting.popleft()
            staying = self.staying[more] & others
            for less in (user_class, *range(self._classes)):
                if less in found or less in first or not (both := staying & self.stopping[less]):
                    continue
                found[less] = more, (both & -both).bit_length() - 1
                if less == user_class:
                    ring = []
                    while less not in first:
                        more, other = found[less]
                        ring.append((other, more, less))
                        less = more
                    return [*ring, (worker, user_class, less)]
                waiting.append(less)
        return None

    def _move(self, worker: int, user_class: int, change: int) -> None:
        """One user more to stop, or one less, which stays."""
        self._add(worker, user_class, change)
        self._stays[worker][user_class] -= change
        if self._stays[worker][user_class]:
            self.staying[user_class] |= 1 << worker
        else:
            self.staying[user_class] &= ~(1 << worker)

    def _add(self, worker: int, user_class: int, change: int) -> None:
        users = self.stops[worker][user_class] = self.stops[worker][user_class] + change
        if users:
            self.stopping[user_class] |= 1 << worker
        else:
            self.stopping[user_class] &= ~(1 << worker)


def _mask(users: Sequence[Sequence[int]], user_class: int) -> int:
    return sum(1 << worker for worker, by_class in enumerate(users) if by_class[user_class])
