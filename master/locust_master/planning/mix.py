"""Of which class the next user is to stop or to start, and where, while a placement is put right.

The class that comes last in the class sequence is stopped first, the one that comes first is started first:
so a class above its number in the end is stopped before any other, and one below it is started before any
other. Sets of workers are bit masks.

Pure: it must never know how many users a worker should have.
"""

from bisect import insort
from collections.abc import Iterable, Sequence

from locust_master.planning.share import Places


class Mix:
    """Users by class, with what is left to stop (by worker and class) and to start (by class)."""

    __slots__ = ("_having", "_places", "_starts", "_stop_order", "_stopping", "_stops", "_totals", "_users")

    def __init__(
        self,
        *,
        running: Sequence[Sequence[int]],
        stops: Sequence[Sequence[int]],
        starts: Sequence[int],
        places: Places,
    ) -> None:
        self._users = [list(by_class) for by_class in running]
        self._stops = [list(by_class) for by_class in stops]
        self._starts = list(starts)
        self._places = places
        self._totals = [sum(by_class[c] for by_class in running) for c in range(len(starts))]
        # By class: workers that have one of it to stop; and, by users of it, workers that have so many.
        self._stopping = [_mask(by_class[c] for by_class in stops) for c in range(len(starts))]
        self._having: list[dict[int, int]] = [{} for _ in starts]
        for worker, by_class in enumerate(running):
            for user_class, users in enumerate(by_class):
                having = self._having[user_class]
                having[users] = having.get(users, 0) | 1 << worker
        # Classes with something to stop, by the place of their last user.
        self._stop_order = sorted(self._last(c) for c, mask in enumerate(self._stopping) if mask)

    def stop(self, workers: int) -> tuple[int, int]:
        """Stop one user on one of the workers, all of which have some to stop; return (worker, class)."""
        at = len(self._stop_order) - 1
        while not (having := self._stopping[self._stop_order[at][1]] & workers):
            at -= 1
        _, user_class = self._stop_order.pop(at)
        bit = having & -having
        worker = bit.bit_length() - 1
        self._stops[worker][user_class] -= 1
        if not self._stops[worker][user_class]:
            self._stopping[user_class] ^= bit
        self._change(worker, user_class, -1)
        if self._stopping[user_class]:
            insort(self._stop_order, self._last(user_class))
        return worker, user_class

    def start(self, workers: int) -> tuple[int, int]:
        """Start one user on one of the workers; return (worker, class)."""
        user_class = min(
            (c for c, users in enumerate(self._starts) if users),
            key=lambda c: self._places.of(c, self._totals[c]),
        )
        self._starts[user_class] -= 1
        # On a worker that has the fewest of the class, for the mix on each worker.
        having = self._having[user_class]
        bits = next(bits for users in sorted(having) if (bits := having[users] & workers))
        worker = (bits & -bits).bit_length() - 1
        self._change(worker, user_class, +1)
        # What is left to stop of this class comes at another place now.
        if self._stopping[user_class]:
            self._stop_order = sorted(self._last(c) for _, c in self._stop_order)
        return worker, user_class

    def _last(self, user_class: int) -> tuple[int, int]:
        return self._places.of(user_class, self._totals[user_class] - 1), user_class

    def _change(self, worker: int, user_class: int, change: int) -> None:
        bit = 1 << worker
        having = self._having[user_class]
        users = self._users[worker][user_class]
        having[users] ^= bit
        if not having[users]:
            del having[users]
        having[users + change] = having.get(users + change, 0) | bit
        self._users[worker][user_class] = users + change
        self._totals[user_class] += change


def _mask(users: Iterable[int]) -> int:
    mask = 0
    for worker, count in enumerate(users):
        if count:
            mask |= 1 << worker
    return mask
