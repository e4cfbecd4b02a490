"""Which user stops next, when all that is left to do is to stop users.

While many run, the classes come in the order of the class sequence, backward, and the worker is the most
loaded one. Where it may stop none of the class (see `ends`), a class may come a little before its turn, as
long as every class stays less than one user from its ideal share. So each worker keeps some of every class
for long. Once fewer are left than that, or no more than some thousands, which user stops is searched for (see
`search`). Sets of workers are bit masks.

Pure: it must never stop more users than it was given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from locust_master.planning.ends import Ends
from locust_master.planning.holders import Holders
from locust_master.planning.ideal import Ideal
from locust_master.planning.loads import Loads
from locust_master.planning.places import Places
from locust_master.planning.search import Search

# How far ahead (turns) a class may be taken from. Within so many turns each class of a usual goal comes;
# further ones would keep others waiting for too long to stay near their shares.
MAX_AHEAD = 40

# Greatest distance (users) of a class from its ideal share where its turn is changed: less than one, with
# room for what a share in floating point may be off.
MAX_DISTANCE = 1 - 1e-6

# Users down to which there is no search: as many in all, or for each worker's users of a class. A turn of the
# search costs several times as much as one without, and is seldom better while there are so many.
MANY_USERS = 2_000
MANY_IN_EACH = 1


class Descent:
    """Users left to stop and users that stay, by worker and class.

    `order` has (place in the class sequence, class) of those to stop, the last place first.
    """

    __slots__ = (
        "_counts",
        "_ends",
        "_holders",
        "_ideal",
        "_loads",
        "_order",
        "_places",
    )

    def __init__(
        self,
        *,
        loads: Loads,
        holders: Holders,
        stops: Sequence[Sequence[int]],
        order: Sequence[tuple[int, int]],
        ideal: Ideal,
        places: Places,
    ) -> None:
        self._loads = loads
        self._holders = holders
        self._order = list(order)
        self._ideal = ideal
        self._counts = [sum(by_class[c] for by_class in holders.users) for c in range(ideal.classes)]
        self._places = places
        ends = [sum(users) - sum(stop) for users, stop in zip(holders.users, stops, strict=True)]
        self._ends = Ends(
            users=holders.users, stops=stops, rounded=loads.rounded(ends), classes=ideal.classes
        )

    def users(self) -> Iterator[tuple[int, int]]:
        """Yield (worker, class) of each user that stops."""
        order = self._order
        many = max(MANY_USERS, MANY_IN_EACH * len(self._holders.users) * self._ideal.classes)
        is_fair = self._loads.is_fair()
        turn = 0
        while turn < len(order) and (self._loads.users > many or not is_fair):
            user_class = order[turn][1]
            worker, is_fair = self._worker(user_class)
            if not is_fair and (found := self._ahead(turn)):
                (worker, user_class), is_fair = found, True
            self._ends.stop(worker, user_class)
            self._counts[user_class] -= 1
            self._holders.change(worker, user_class, -1)
            self._loads.stop(worker)
            turn += 1
            yield worker, user_class
        left = [0] * self._ideal.classes
        for _, user_class in order[turn:]:
            left[user_class] += 1
        yield from Search(
            users=self._holders.users,
            left=left,
            runners=self._loads.runners,
            ends=self._ends,
            ideal=self._ideal,
            places=self._places,
        ).stops()

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
        stopping = self._ends.stopping[user_class]
        able = stopping | self._ends.staying[user_class]
        while able:
            workers = self._loads.heaviest(able)
            ready = workers & stopping
            # The one with most of the class, so that each keeps some of every class for when it is due.
            worker = self._holders.most(user_class, ready or workers)
            if ready or self._ends.may_stop(worker, user_class):
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
