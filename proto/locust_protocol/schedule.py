"""The rule by which master, agent and runner agree on how many users run at a moment.

A schedule says, for one user class, how many users run at first and at which microsecond of the run's
timeline each later one starts or stops. The master makes schedules, an agent splits them over its runners,
a runner executes them: all three read them through this module, so they cannot disagree.

It must never read a clock, round a due time or merge changes: expanding a compressed schedule gives back
exactly the times that went in.

A ramp gives each class on each worker a user every so many microseconds, so spans (arithmetic
progressions) say it in little space. Spans of one schedule may overlap: a rate that does not divide a
second evenly (3 users/s: 0, 333333, 666667, 1000000, ...) is three exact progressions dealt into each other,
but no single one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import itemgetter

# Progressions that may be dealt into each other (count of due times). A rate of p/q users per second
# repeats its rounding after at most p users; above this, single progressions are as short to send.
MAX_INTERLEAVED_SPANS = 64

# A fold into interleaved progressions must at least halve the spans, or it is not worth its overlaps.
MIN_FOLD_GAIN = 2


@dataclass(frozen=True, slots=True)
class Span:
    """`count` changes of one user each: the i-th (from 0) is due at `first_due_us + i * interval_us`.

    Times are microseconds on the run's timeline. `change` is +1 (start one user) or -1 (stop one);
    `interval_us` may be 0: all at once.
    """

    first_due_us: int
    interval_us: int
    count: int
    change: int


@dataclass(frozen=True, slots=True)
class UserSchedule:
    """How many users of one class one worker (or one runner) should be running over time.

    `base_users` run before the first span; a class that no schedule names is not to run at all.
    """

    user_class: str
    base_users: int
    spans: tuple[Span, ...]


def wanted_users(schedule: UserSchedule, at_us: int) -> int:
    """Return the users wanted at `at_us`: the base and all changes due at or before it."""
    return schedule.base_users + sum(span.change * _due_count(span, at_us) for span in schedule.spans)


def final_users(schedule: UserSchedule) -> int:
    """Return the users wanted once every change is done."""
    return schedule.base_users + sum(span.change * span.count for span in schedule.spans)


def next_due_us(schedule: UserSchedule, after_us: int) -> int | None:
    """Return the earliest due time later than `after_us`, or None when nothing is left to do."""
    earliest: int | None = None
    for span in schedule.spans:
        done = _due_count(span, after_us)
        if done < span.count:
            due_us = span.first_due_us + done * span.interval_us
            if earliest is None or due_us < earliest:
                earliest = due_us
    return earliest


def last_due_us(schedule: UserSchedule, at_us: int) -> int | None:
    """Return the latest due time at or before `at_us`, or None when nothing was due yet."""
    latest: int | None = None
    for span in schedule.spans:
        done = _due_count(span, at_us)
        if done:
            due_us = span.first_due_us + (done - 1) * span.interval_us
            if latest is None or due_us > latest:
                latest = due_us
    return latest


def changes(schedule: UserSchedule) -> Iterator[tuple[int, int]]:
    """Yield (due time in µs, +1 or -1) of each single user, in order of time; stops before starts."""
    expanded = [
        (span.first_due_us + index * span.interval_us, span.change)
        for span in schedule.spans
        for index in range(span.count)
    ]
    expanded.sort()
    yield from expanded


def compress(user_class: str, base_users: int, changes: Iterable[tuple[int, int]]) -> UserSchedule:
    """Return the schedule that expands to exactly `changes` (due time in µs, +1 or -1), in any order."""
    spans: list[Span] = []
    for change, rows in groupby(sorted(changes), key=itemgetter(1)):
        _append_spans(spans, [due_us for due_us, _ in rows], change)
    return UserSchedule(user_class=user_class, base_users=base_users, spans=tuple(spans))


def _due_count(span: Span, at_us: int) -> int:
    """How many of the span's changes are due at or before `at_us`."""
    if at_us < span.first_due_us:
        return 0
    if span.interval_us == 0:
        return span.count
    return min(span.count, (at_us - span.first_due_us) // span.interval_us + 1)


def _append_spans(spans: list[Span], due_times: list[int], change: int) -> None:
    """Add the shorter of: progressions one after another, or progressions dealt into each other."""
    plain = _progressions(due_times, change)
    stride = _repeat_length(due_times) if len(plain) > MIN_FOLD_GAIN else 1
    if stride > 1:
        dealt = [span for lane in range(stride) for span in _progressions(due_times[lane::stride], change)]
        if len(dealt) * MIN_FOLD_GAIN <= len(plain):
            spans.extend(dealt)
            return
    spans.extend(plain)


def _progressions(due_times: Sequence[int], change: int) -> list[Span]:
    """Cut sorted due times into arithmetic progressions, each as long as it can be."""
    spans: list[Span] = []
    start = 0
    total = len(due_times)
    while start < total:
        end = start + 1
        interval_us = 0
        if end < total:
            interval_us = due_times[end] - due_times[start]
            previous_us = due_times[end]
            end += 1
            while end < total and due_times[end] - previous_us == interval_us:
                previous_us = due_times[end]
                end += 1
        spans.append(Span(due_times[start], interval_us, end - start, change))
        start = end
    return spans


def _repeat_length(due_times: Sequence[int]) -> int:
    """After how many due times their distances repeat, judged by the first of them; 1 for "never"."""
    distances = [later - earlier for earlier, later in pairwise(due_times[: 2 * MAX_INTERLEAVED_SPANS + 1])]
    for length in range(2, len(distances) // 2 + 1):
        # The first distance tells nearly every length that is none; slices are for the others.
        if distances[length] == distances[0] and distances[length:] == distances[:-length]:
            return length
    return 1
