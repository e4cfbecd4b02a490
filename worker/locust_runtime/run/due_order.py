"""Who is to be started first when several users are missing: the one that was due first.

A process that is late (a pause of the machine, of the collector, of user code) has users of several classes
to make good. Class by class, the last class would wait for all the others, and meanwhile the mix would be
wrong by as many users as are missing. In the order in which they were due, it is at every moment one that the
plan had.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from locust_protocol.schedule import Span, UserSchedule

BASE_DUE_US = -1
"""Users of the base were due before any change."""


def missing_in_due_order(missing: Sequence[tuple[UserSchedule, int]], now_us: int) -> list[int]:
    """Return for each missing user, in the order to start them, the index of its schedule.

    `missing` has a schedule and how many users are missing of those that it wants at `now_us`. They count as
    its latest ones. What is due at the same time is dealt evenly: the first halves before the second halves.
    """
    order = []
    for index, (schedule, count) in enumerate(missing):
        for place, due_us in enumerate(_latest_start_dues(schedule, count, now_us)):
            order.append((due_us, (2 * place + 1) / (2 * count), index))
    order.sort()
    return [index for _, _, index in order]


def _latest_start_dues(schedule: UserSchedule, count: int, now_us: int) -> list[int]:
    """When the latest `count` users were due to start, earliest first; the base fills up what is lacking."""
    dues = sorted(
        due_us
        for span in schedule.spans
        if span.change > 0 and span.first_due_us <= now_us
        for due_us in _latest_dues(span, count, now_us)
    )[-count:]
    return [BASE_DUE_US] * (count - len(dues)) + dues


def _latest_dues(span: Span, count: int, now_us: int) -> list[int]:
    due = span.count
    if span.interval_us:
        due = min(span.count, (now_us - span.first_due_us) // span.interval_us + 1)
    return [span.first_due_us + index * span.interval_us for index in range(max(0, due - count), due)]
