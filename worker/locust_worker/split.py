"""Deals a worker's share to its runners, so that they run the same number of users at every moment.

The agent gets one schedule for each user class and has one runner for each core; users by runner, over all
classes, stay within one of each other, or one core would be the bottleneck while another idles. At every
moment the runners' schedules add up to the worker's, class by class, and every change keeps its due time.

Pure: it must never know which process a runner is, nor what time it is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence

from locust_protocol.schedule import UserSchedule, compress
from locust_worker.hands import Hands, Move

Deal = list[tuple[UserSchedule, ...]]
"""Each runner's schedules, by slot."""

_Timed = list[list[list[tuple[int, int]]]]
"""Changes as (due time, +1 or -1), by place of the runner, then by class."""


def split_schedules(
    schedules: Sequence[UserSchedule],
    runners: int,
    *,
    current: Sequence[Mapping[str, int]] | None = None,
    alive: Sequence[bool] | None = None,
) -> Deal:
    """Return each runner's schedules; a runner without users, or not alive, has none.

    `current` is what each runner runs now (class → users): users stay where they are as far as the balance
    allows. Where the schedules' base differs from it (a runner died, say), the returned bases have the
    difference, at once: who applies them decides how fast. `alive` excludes runners; with none alive
    nothing is dealt. Equal input gives equal output. Each class has one schedule, which must never stop a
    user that it does not have (ValueError).
    """
    living = [slot for slot in range(runners) if alive is None or alive[slot]]
    split: Deal = [() for _ in range(runners)]
    if not living or not schedules:
        return split
    here = [current[slot] if current else {} for slot in living]
    hands = Hands([[max(0, users.get(each.user_class, 0)) for users in here] for each in schedules])
    hands.bring_to([each.base_users for each in schedules])
    bases = [list(row) for row in hands.users]
    timed: _Timed = [[[] for _ in schedules] for _ in living]
    _deal_changes(hands, _coded(schedules), len(schedules), timed)
    for place, slot in enumerate(living):
        split[slot] = tuple(
            compress(schedule.user_class, bases[number][place], timed[place][number])
            for number, schedule in enumerate(schedules)
            if bases[number][place] or timed[place][number]
        )
    return split


def _deal_changes(hands: Hands, codes: Sequence[int], classes: int, timed: _Timed) -> None:
    """Deal every change in order of time; `timed` is added to."""
    # 50,000 starts on 2 runners take 70 ms of CPU, a fifth of what a tuple and a search for each user cost;
    # tests/worker/test_split.py prints the figure with -s.
    step = 2 * classes
    dues = [code // step for code in codes]
    kinds = [code % step for code in codes]
    stops = [index for index, kind in enumerate(kinds) if kind < classes]
    index = 0
    for stop in [*stops, len(codes)]:
        if stop < index:
            continue  # in a moment that is done
        if index < stop:
            numbers = [kind - classes for kind in kinds[index:stop]]
            for place, number, due_us in zip(hands.start(numbers), numbers, dues[index:stop], strict=True):
                timed[place][number].append((due_us, 1))
        if stop == len(codes):
            return
        due_us, index = dues[stop], stop + 1
        if index == len(codes) or dues[index] != due_us:
            moved = [(hands.stop(kinds[stop]), kinds[stop], -1), *hands.level()]
        else:
            index = bisect_right(dues, due_us, stop)
            moved = _moment(hands, kinds[stop:index], classes)
        for place, number, change in moved if len(moved) == 1 else _net(moved):
            timed[place][number].append((due_us, change))


def _moment(hands: Hands, kinds: Iterable[int], classes: int) -> list[Move]:
    """Deal a moment in which users stop: stops, then starts, then what keeps the runners level."""
    moved: list[Move] = []
    for kind in kinds:
        if kind < classes:
            moved.append((hands.stop(kind), kind, -1))
        else:
            (place,) = hands.start([kind - classes])
            moved.append((place, kind - classes, +1))
    return moved + hands.level()


def _coded(schedules: Sequence[UserSchedule]) -> list[int]:
    """Return every change as one number, in order: due time, stops before starts, class."""
    step = 2 * len(schedules)
    codes: list[int] = []
    for number, schedule in enumerate(schedules):
        for span in schedule.spans:
            first = span.first_due_us * step + number + (len(schedules) if span.change > 0 else 0)
            if span.interval_us:
                interval = span.interval_us * step
                codes.extend(range(first, first + span.count * interval, interval))
            else:
                codes.extend([first] * span.count)
    codes.sort()
    return codes


def _net(moved: Sequence[Move]) -> Iterator[Move]:
    """Changes at one moment, without those that cancel each other on the same runner and class."""
    sums: dict[tuple[int, int], int] = {}
    for place, number, change in moved:
        sums[place, number] = sums.get((place, number), 0) + change
    for (place, number), total in sums.items():
        for _ in range(abs(total)):
            yield place, number, 1 if total > 0 else -1
