"""The way down when no more than some thousands of users are left: every stop is one that both laws allow.

A class must be less than one user from its ideal share, a worker at most one from its fair share. So for a
worker or class with so many users there is a number of users in all, down to which it must have stopped
another one, and one from which on it may. Of all that may stop, what is furthest above both shares does.
Where too many must at once the way is a dead end: stops are taken back, the latest first, and others tried.
From some placements no order keeps both laws; there the mix is kept, and workers stay near their shares.

Pure: it must never stop more users than it was given.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from locust_master.planning.ends import Ends
from locust_master.planning.ideal import ALWAYS, Ideal
from locust_master.planning.places import Places

# Stops that can be taken back (count); whatever came before is settled.
MAX_TAKEN_BACK = 64

# Dead ends (count) after which the search gives up and goes on as well as it can. Each stop that is settled
# earns one more, so the time stays in proportion to the users.
MAX_DEAD_ENDS = 100

# Workers that are looked at first, those that must stop a user soonest, and classes, those most above their
# shares (count); and how far ahead (turns) too many workers at once are seen.
FIRST_WORKERS = 6
FIRST_CLASSES = 6
FORESIGHT = 16

# How far ahead (turns) is looked whether the classes still fit their shares. One that is seldom stays below
# its share for long, and all others then have to be above theirs.
AHEAD = np.array([1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 26, 33, 43, 56, 75, 100, 150, 250, 500, 1_000, 2_000])

# (How much it is wanted, worker, class).
Candidate = tuple[float, int, int]


class Search:
    """Users by worker and class, of which `left` of each class stop; `ends` says where, and is kept."""

    __slots__ = (
        "_by_class",
        "_class_turns",
        "_counts",
        "_end",
        "_ends",
        "_ideal",
        "_least",
        "_left",
        "_loads",
        "_most",
        "_places",
        "_queue",
        "_runners",
        "_total",
        "_total_runners",
        "_users",
        "_worker_turns",
    )

    def __init__(
        self,
        *,
        users: Sequence[Sequence[int]],
        left: Sequence[int],
        runners: Sequence[int],
        ends: Ends,
        ideal: Ideal,
        places: Places,
    ) -> None:
        self._users = [list(by_class) for by_class in users]
        self._left = list(left)
        self._runners = runners
        self._total_runners = sum(runners) or 1
        self._ends = ends
        self._ideal = ideal
        self._places = places
        self._loads = [sum(by_class) for by_class in users]
        self._total = sum(self._loads)
        self._by_class = [sum(by_class[c] for by_class in users) for c in range(ideal.classes)]
        # By class, once more as an array; and the fewest and most users each may have among so many, from the
        # end on.
        self._counts = np.array(self._by_class, dtype=np.int64)
        self._end = self._total - sum(left)
        self._least, self._most = ideal.bounds(np.arange(self._end, self._total + 1))
        # By worker and by class: down to how many users in all one must have stopped, from how many it may.
        self._worker_turns = [self._turns_of(worker) for worker in range(len(users))]
        self._class_turns = [ideal.turns_of(c, count) for c, count in enumerate(self._by_class)]
        # Workers with users, who must first is first.
        self._queue = sorted((-self._worker_turns[w][0], w) for w, load in enumerate(self._loads) if load)

    def stops(self) -> Iterator[tuple[int, int]]:
        """Yield (worker, class) of each user that stops."""
        path: deque[tuple[int, int, Iterator[Candidate]]] = deque()
        hope = MAX_DEAD_ENDS
        turns = sum(self._left)
        while turns:
            candidates = self._candidates()
            while (found := self._first(candidates)) is None and path and hope:
                hope -= 1
                worker, user_class, candidates = path.pop()
                self._ends.take_back(worker, user_class)
                self._change(worker, user_class, +1)
                turns += 1
            if found is None:
                yield from ((worker, user_class) for worker, user_class, _ in path)
                path.clear()
                hope = 0
                found = self._any()
                candidates = iter(())
            worker, user_class = found
            self._ends.stop(worker, user_class)
            self._change(worker, user_class, -1)
            turns -= 1
            path.append((worker, user_class, candidates))
            if len(path) > MAX_TAKEN_BACK or not hope:
                yield path.popleft()[:2]
                hope = min(hope + 1, MAX_DEAD_ENDS)
        yield from ((worker, user_class) for worker, user_class, _ in path)

    def _first(self, candidates: Iterator[Candidate]) -> tuple[int, int] | None:
        for _, worker, user_class in candidates:
            if self._is_mix_kept(user_class) and self._ends.may_stop(worker, user_class):
                return worker, user_class
        return None

    def _any(self) -> tuple[int, int]:
        """As good a stop as there is, wherever a law is broken already."""
        some = self._all_candidates()
        found = self._first(iter(some))
        if found is None:
            # Lost workers took users of some classes more than of others.
            found = next((w, c) for _, w, c in some if self._ends.may_stop(w, c))
        return found

    def _candidates(self) -> Iterator[Candidate]:
        """Stops that both laws allow, the most wanted first; none in a dead end."""
        classes = self._classes()
        if self._is_dead_end():
            return
        first = self._allowed(classes[:FIRST_CLASSES], FIRST_WORKERS)
        yield from first
        if len(self._queue) > FIRST_WORKERS or len(classes) > FIRST_CLASSES:
            tried = set(first)
            yield from (each for each in self._allowed(classes, len(self._queue)) if each not in tried)

    def _allowed(self, classes: Sequence[tuple[float, int]], workers: int) -> list[Candidate]:
        """Users that are to stop where they run come before those that others make up for. Hot: once a turn
        (10 µs).
        """
        after, runners, total = self._total - 1, self._runners, self._total_runners
        turns, users, loads, stops = self._worker_turns, self._users, self._loads, self._ends.stops
        somebody_must = turns[self._queue[0][1]][0] >= after
        ready: list[Candidate] = []
        others: list[Candidate] = []
        for _, worker in self._queue:
            must, may = turns[worker]
            if somebody_must and must < after:
                break
            if may < after:
                continue
            own, to_stop, load = users[worker], stops[worker], loads[worker]
            above = load - after * runners[worker] / total
            for wanted, user_class in classes:
                if own[user_class]:
                    # A class that is most of what the worker runs had better go while it is allowed to.
                    each = (above + wanted + own[user_class] / (load + 1), worker, user_class)
                    (ready if to_stop[user_class] else others).append(each)
            workers -= 1
            if not workers:
                break
        ready.sort(reverse=True)
        others.sort(reverse=True)
        return ready + others

    def _all_candidates(self) -> list[Candidate]:
        """All stops that the mix allows, those first that leave the workers nearest to their shares."""
        after = self._total - 1
        found: list[tuple[bool, bool, Candidate]] = []
        for wanted, user_class in self._classes():
            for _, worker in self._queue:
                if self._users[worker][user_class]:
                    must, may = self._worker_turns[worker]
                    above = self._loads[worker] - after * self._runners[worker] / self._total_runners
                    found.append((may >= after, must >= after, (above + wanted, worker, user_class)))
        return [candidate for _, _, candidate in sorted(found, reverse=True)]

    def _classes(self) -> list[tuple[float, int]]:
        """Of which classes a user may stop: (how far it is above its share then, class), furthest first."""
        users, turns, counts = self._total, self._class_turns, self._by_class
        some = [c for c, count in enumerate(self._left) if count]
        soonest = max(turns[c][0] for c in some)
        if self._is_off():
            # It is off already: first go users that a run of so many would not have.
            classes = [c for c in some if self._places.of(c, counts[c] - 1) >= users]
            classes = classes or some
        elif soonest >= users - 1:
            classes = [c for c in some if turns[c][0] >= users - 1]
        else:
            classes = [c for c in some if turns[c][1] >= users - 1] or some
        shares = self._ideal.shares(users - 1)
        return sorted([(counts[c] - shares[c], c) for c in classes], reverse=True)

    def _is_dead_end(self) -> bool:
        """Whether more workers must stop a user within some turns than there are turns."""
        after = self._total - 1
        for turn, (must, _) in enumerate(self._queue):
            if -must <= after - FORESIGHT:
                break
            if -must > after - turn:
                return True
        return False

    def _is_mix_kept(self, user_class: int) -> bool:
        """Whether the classes can all stay near their shares when a user of the one given has stopped.

        They can while at no later turn those above their shares have more to stop than there are turns until
        then. Where they are off already there is nothing to keep.
        """
        if self._is_off():
            return True
        counts = self._counts.copy()
        counts[user_class] -= 1
        later = self._total - AHEAD - self._end
        later = later[later >= 0]
        above = np.maximum(counts - self._most[later], 0).sum(axis=1)
        return bool((above < self._total - self._end - later).all())

    def _is_off(self) -> bool:
        """Whether some class is a user or more from its share."""
        now = self._total - self._end
        return bool(((self._counts > self._most[now]) | (self._counts < self._least[now])).any())

    def _turns_of(self, worker: int) -> tuple[int, int]:
        load, runners, total = self._loads[worker], self._runners[worker], self._total_runners
        if not runners:
            return ALWAYS, ALWAYS
        return -(-(load - 1) * total // runners) - 1, load * total // runners

    def _change(self, worker: int, user_class: int, change: int) -> None:
        if self._loads[worker]:
            self._queue.pop(bisect_left(self._queue, (-self._worker_turns[worker][0], worker)))
        self._users[worker][user_class] += change
        self._loads[worker] += change
        self._by_class[user_class] += change
        self._counts[user_class] += change
        self._left[user_class] += change
        self._total += change
        self._worker_turns[worker] = self._turns_of(worker)
        self._class_turns[user_class] = self._ideal.turns_of(user_class, self._by_class[user_class])
        if self._loads[worker]:
            insort(self._queue, (-self._worker_turns[worker][0], worker))
