"""The fewest users to stop and to start so that the mix and the workers' loads are as they should be.

Given who runs what and how many users of each class there shall be, an end placement is lawful when each
class has exactly its number and each worker its share of the users (by runners), rounded down or up. Of all
lawful end placements this finds one with the fewest stops and starts together. Which users are in either
count follows from two needs:

* a worker with more users than it may have must stop some, whatever their class;
* a class with more users than it shall have must stop some, wherever they are.

One stop may serve both. With o users too many on workers, s too many in classes, and f the most stops that
can serve both, every lawful end takes at least o + s - f stops, and this many do. f is a largest flow from
workers to classes through the users that run; where shares may be rounded either way, the workers that are
above theirs already are rounded up first, and a pool of o has those that cannot be. The starts are what the
end then lacks: any class may start on any worker, so they cost no further stop.

Pure: it must never decide the order or the time of anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace

from locust_master.planning.flow import FlowNetwork


@dataclass(frozen=True, slots=True)
class Changes:
    """What leads to the end. `stops[w][c]` users of class c stop on worker w; then workers and classes have
    `worker_starts[w]` and `class_starts[c]` users to start, each in all.
    """

    stops: list[list[int]]
    worker_starts: list[int]
    class_starts: list[int]


def fewest_changes(
    *,
    running: Sequence[Sequence[int]],
    wanted: Sequence[int],
    runners: Sequence[int],
    turn_of: Callable[[int, int], int] | None = None,
) -> Changes:
    """Return the fewest changes from `running[w][c]` users to `wanted[c]` of each class in all.

    `runners[w]` are worker w's; where nobody has any, `wanted` must be 0 throughout. Where shares may be
    rounded either way at no cost, a worker w with n users is the sooner given another the less `turn_of(w,
    n)` is; without it, the more of a user its share has left.
    """
    loads = [sum(by_class) for by_class in running]
    share = _Shares(loads, users=sum(wanted), runners=runners, turn_of=turn_of)
    surplus = [
        max(0, sum(column) - want) for column, want in zip(_columns(running, wanted), wanted, strict=True)
    ]
    ideal = _Ideal(wanted, runners)
    stops = _stops_for_both(running, share, surplus, ideal)
    share.settle([sum(by_class) for by_class in stops])
    for worker, stopped in enumerate(stops):
        _stop_for_worker(stopped, running[worker], loads[worker] - share.ends[worker], ideal.of(worker))
    for user_class, column in enumerate(_columns(stops, wanted)):
        _stop_for_class(stops, running, user_class, surplus[user_class] - sum(column), ideal)
    return Changes(
        stops=stops,
        worker_starts=[
            end - load + sum(stopped) for end, load, stopped in zip(share.ends, loads, stops, strict=True)
        ],
        class_starts=[
            want - sum(have) + sum(stopped)
            for want, have, stopped in zip(
                wanted, _columns(running, wanted), _columns(stops, wanted), strict=True
            )
        ],
    )


def _columns(rows: Sequence[Sequence[int]], like: Sequence[int]) -> Iterable[tuple[int, ...]]:
    """The columns of `rows`, as many as `like` has entries, of which there may be no row at all."""
    return zip(*rows, strict=True) if rows else [() for _ in like]


class _Ideal:
    """How many users of each class a worker would have if users could be divided."""

    def __init__(self, wanted: Sequence[int], runners: Sequence[int]) -> None:
        self._wanted = wanted
        self._runners = runners
        self._total = sum(runners) or 1

    def of(self, worker: int) -> list[float]:
        part = self._runners[worker] / self._total
        return [want * part for want in self._wanted]

    def of_class(self, worker: int, user_class: int) -> float:
        return self._wanted[user_class] * self._runners[worker] / self._total


class _Shares:
    """Each worker's load in the end: its share of the users, rounded so that the fewest must stop."""

    def __init__(
        self,
        loads: Sequence[int],
        *,
        users: int,
        runners: Sequence[int],
        turn_of: Callable[[int, int], int] | None,
    ) -> None:
        total = sum(runners) or 1
        divided = [divmod(users * count, total) for count in runners]
        self._rests = [rest for _, rest in divided]
        self.ends = [floor for floor, _ in divided]
        self._turns = (
            [-rest for rest in self._rests]
            if turn_of is None
            else [turn_of(worker, floor) for worker, floor in enumerate(self.ends)]
        )
        self._loads = loads
        self._ceilings = users - sum(self.ends)
        # Workers that stop one user more if they are rounded down than if they are rounded up.
        self.torn = [w for w, load in enumerate(loads) if self._rests[w] and load > self.ends[w]]
        self.rounded_down = max(0, len(self.torn) - self._ceilings)

    def must_stop(self, worker: int) -> int:
        """Users of a worker that stop however its share is rounded."""
        return max(0, self._loads[worker] - self.ends[worker] - (1 if self._rests[worker] else 0))

    def settle(self, stopped: Sequence[int]) -> None:
        """Round each share, now that `stopped` users of each worker stop for both needs."""
        down = {w for w in self.torn if stopped[w] > self.must_stop(w)}
        # Then those whose turn comes last.
        others = sorted((w for w in self.torn if w not in down), key=lambda w: -self._turns[w])
        down.update(others[: self.rounded_down - len(down)])
        up = [w for w in self.torn if w not in down]
        room = sorted(
            (w for w, rest in enumerate(self._rests) if rest and self._loads[w] <= self.ends[w]),
            key=lambda w: self._turns[w],
        )
        up += room[: self._ceilings - len(up)]
        for worker in up:
            self.ends[worker] += 1


def _stops_for_both(
    running: Sequence[Sequence[int]], share: _Shares, surplus: Sequence[int], ideal: _Ideal
) -> list[list[int]]:
    """As many stops as can be that serve a worker above its share and a class above its number."""
    stops = [[0] * len(surplus) for _ in running]
    workers, classes = len(running), len(surplus)
    source, sink, pool = workers + classes, workers + classes + 1, workers + classes + 2
    network = FlowNetwork(workers + classes + 3)
    torn = set(share.torn) if share.rounded_down else set()
    network.add_edge(source, pool, share.rounded_down)
    for user_class, users in enumerate(surplus):
        network.add_edge(workers + user_class, sink, users)
    # First users beyond a worker's ideal, so that each worker's mix stays near the goal's; then any.
    cells: list[tuple[int, int, int, int]] = []
    for worker, by_class in enumerate(running):
        must = share.must_stop(worker)
        if not must and worker not in torn:
            continue
        network.add_edge(source, worker, must)
        if worker in torn:
            network.add_edge(pool, worker, 1)
        for user_class, users in enumerate(by_class):
            if users and surplus[user_class]:
                beyond = max(0, int(users - ideal.of_class(worker, user_class)))
                edge = network.add_edge(worker, workers + user_class, min(users, beyond))
                cells.append((edge, worker, user_class, users))
    network.push(source, sink)
    for edge, _, _, users in cells:
        network.widen(edge, users)
    network.push(source, sink)
    for edge, worker, user_class, _ in cells:
        stops[worker][user_class] = network.flow(edge)
    return stops


def _stop_for_worker(stopped: list[int], running: Sequence[int], users: int, ideal: Sequence[float]) -> None:
    """Stop more users of one worker until `users` stop, of the classes that it has most beyond its ideal."""
    missing = users - sum(stopped)
    if missing <= 0:
        return
    left = [
        (ideal[c] - (have - stopped[c]), c, have - stopped[c])
        for c, have in enumerate(running)
        if have > stopped[c]
    ]
    for user_class in _most_beyond(left, missing):
        stopped[user_class] += 1


def _stop_for_class(
    stops: list[list[int]],
    running: Sequence[Sequence[int]],
    user_class: int,
    missing: int,
    ideal: _Ideal,
) -> None:
    """Stop `missing` more users of one class, on the workers that have most of it beyond their ideal."""
    if missing <= 0:
        return
    left = [
        (
            ideal.of_class(w, user_class) - (have[user_class] - stops[w][user_class]),
            w,
            have[user_class] - stops[w][user_class],
        )
        for w, have in enumerate(running)
        if have[user_class] > stops[w][user_class]
    ]
    for worker in _most_beyond(left, missing):
        stops[worker][user_class] += 1


def _most_beyond(left: list[tuple[float, int, int]], users: int) -> Iterable[int]:
    """Yield keys of (lack, key, users left), the least lack first; each user taken adds one to its lack."""
    heapify(left)
    for _ in range(users):
        lack, key, have = left[0]
        yield key
        # One that has no user left must not come again, however many others are still to be taken.
        heapreplace(left, (lack + 1 if have > 1 else float("inf"), key, have - 1))
