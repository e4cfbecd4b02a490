"""Which user stops next, when all that is left to do is to stop users.

The classes come in the order of the class sequence, backward, and the worker is the most loaded one. Which
users stop is given, by worker and class, but not for good: where the worker that is due has none of the
class to stop, it may stop one all the same if others make up for it, so that in the end each class has
stopped as many as before and each worker has its share, rounded down or up. Each then stops one of another
class in place of one, round a ring. Where that is not enough for the balance, a class may come a little
before its turn, as long as every class stays less than one user from its ideal share. Sets of workers are
bit masks.

Pure: it must never stop more users than it was given.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from locust_master.planning.holders import Holders
from locust_master.planning.ideal import Ideal
from locust_master.planning.loads import Loads

# How far ahead (turns) a class may be taken from. Within so many turns each class of a usual goal comes;
# further ones would keep others waiting for too long to stay near their shares.
MAX_AHEAD = 40

# Greatest distance (users) of a class from its ideal share where its turn is changed: less than one, with
# room for what a share in floating point may be off.
MAX_DISTANCE = 1 - 1e-6


class Descent:
    """Users left to stop and users that stay, by worker and class.

    `order` has (place in the class sequence, class) of those to stop, the last place first.
    """

    __slots__ = (
        "_classes",
        "_counts",
        "_holders",
        "_ideal",
        "_loads",
        "_order",
        "_staying",
        "_stays",
        "_stopping",
        "_stops",
    )

    def __init__(
        self,
        *,
        loads: Loads,
        holders: Holders,
        stops: Sequence[Sequence[int]],
        order: Sequence[tuple[int, int]],
        ideal: Ideal,
    ) -> None:
        self._loads = loads
        self._holders = holders
        self._order = list(order)
        self._ideal = ideal
        self._counts = [sum(by_class[c] for by_class in holders.users) for c in range(ideal.classes)]
        stays = [
            [users - stop for users, stop in zip(*pair, strict=True)]
            for pair in zip(holders.users, stops, strict=True)
        ]
        # A worker's share may be rounded either way: that is one more class, of which nobody ever stops.
        rounded = loads.rounded([sum(by_class) for by_class in stays])
        self._stops = [[*by_class, up] for by_class, (up, _) in zip(stops, rounded, strict=True)]
        self._stays = [[*by_class, down] for by_class, (_, down) in zip(stays, rounded, strict=True)]
        self._classes = ideal.classes + 1
        self._stopping = [_mask(self._stops, c) for c in range(self._classes)]
        self._staying = [_mask(self._stays, c) for c in range(self._classes)]

    def users(self) -> Iterator[tuple[int, int]]:
        """Yield (worker, class) of each user that stops."""
        order = self._order
        for turn, (_, user_class) in enumerate(order):
            worker, is_fair = self._worker(user_class)
            if not is_fair:
                worker, user_class = self._ahead(turn) or (worker, user_class)
            if not self._stops[worker][user_class]:
                self._exchange(worker, user_class)
            self._add(worker, user_class, -1)
            self._counts[user_class] -= 1
            self._holders.change(worker, user_class, -1)
            self._loads.stop(worker)
            yield worker, user_class

    def _ahead(self, turn: int) -> tuple[int, int] | None:
        """A later turn that may be taken now and keeps the loads fair: (worker, class). It is put in its
        place.
        """
        order = self._order
        passed = {order[turn][1]}
        for ahead in range(turn + 1, min(turn + MAX_AHEAD, len(order))):
            user_class = order[ahead][1]
            if user_class in passed:
                continue
            passed.add(user_class)
            if self._may_come(turn, ahead):
                worker, is_fair = self._worker(user_class)
                if is_fair:
                    order[turn : ahead + 1] = [order[ahead], *order[turn:ahead]]
                    return worker, user_class
        return None

    def _worker(self, user_class: int) -> tuple[int, bool]:
        """The most loaded worker that may stop a user of the class and keep the loads fair; else the most
        loaded that may. There must be one left to stop.
        """
        first: int | None = None
        stopping = self._stopping[user_class]
        able = stopping | self._staying[user_class]
        while able:
            workers = self._loads.heaviest(able)
            ready = workers & stopping
            # The one with most of the class, so that each keeps some of every class for when it is due.
            worker = self._holders.most(user_class, ready or workers)
            if ready or self._ring(worker, user_class):
                if self._loads.is_fair_without(worker):
                    return worker, True
                first = worker if first is None else first
                # Others of the same load at the same table would do no better.
                able &= ~workers
            else:
                able ^= 1 << worker
        assert first is not None
        return first, False

    def _may_come(self, turn: int, ahead: int) -> bool:
        """Whether the class at `ahead` may come at `turn` and those in between each a turn later."""
        order, users = self._order, self._loads.users
        place, early = order[ahead]
        if place >= users:
            # It has more users than it would have among so many: while it is above, it may go before
            # another is.
            return True
        last = users - (ahead - turn) - 1
        if not self._ideal.is_one_rule(users, last) or not self._is_within_one():
            return False
        if self._counts[early] - 1 - self._ideal.of(early, users - 1) < -MAX_DISTANCE:
            return False
        counts = self._counts.copy()
        for at in range(turn, ahead):
            users -= 1
            late = order[at][1]
            if counts[late] - self._ideal.of(late, users) > MAX_DISTANCE:
                return False
            counts[late] -= 1
        return True

    def _is_within_one(self) -> bool:
        """Whether every class is near its ideal share: only then there is something to give."""
        users = self._loads.users
        return all(
            abs(count - self._ideal.share(user_class, users)) < MAX_DISTANCE
            for user_class, count in enumerate(self._counts)
        )

    def _ring(self, worker: int, user_class: int) -> list[tuple[int, int, int]] | None:
        """Who stops what in place of what, so that the worker may stop one of the class: (worker, more,
        less).
        """
        # By class: the class that is stopped in its place by another worker, and that worker.
        found: dict[int, tuple[int, int]] = {}
        waiting = deque(c for c in range(self._classes) if self._stops[worker][c])
        first = set(waiting)
        others = ~(1 << worker)
        while waiting:
            more = waiting.popleft()
            staying = self._staying[more] & others
            for less in (user_class, *range(self._classes)):
                if less in found or less in first or not (both := staying & self._stopping[less]):
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

    def _exchange(self, worker: int, user_class: int) -> None:
        for other, more, less in self._ring(worker, user_class) or ():
            self._move(other, more, +1)
            self._move(other, less, -1)

    def _move(self, worker: int, user_class: int, change: int) -> None:
        """One user more to stop, or one less, which stays."""
        self._add(worker, user_class, change)
        self._stays[worker][user_class] -= change
        if self._stays[worker][user_class]:
            self._staying[user_class] |= 1 << worker
        else:
            self._staying[user_class] &= ~(1 << worker)

    def _add(self, worker: int, user_class: int, change: int) -> None:
        users = self._stops[worker][user_class] = self._stops[worker][user_class] + change
        if users:
            self._stopping[user_class] |= 1 << worker
        else:
            self._stopping[user_class] &= ~(1 << worker)


def _mask(users: Sequence[Sequence[int]], user_class: int) -> int:
    return sum(1 << worker for worker, by_class in enumerate(users) if by_class[user_class])
