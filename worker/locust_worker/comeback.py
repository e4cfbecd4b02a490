"""How users come back whose runner died: one after the other at the run's spawn rate, not all at once.

A target that is at its limit must not be hit by a thousand logins in the second in which a runner is started
again. So what a runner should run by plan is reduced by the users that it has lost, and these come back one
each interval, over all runners of the agent together, on top of the plan's own changes; the agent's part of
the rate is that of its runners in the cluster, as many agents may lose theirs at once. At no moment do the
runners run more than planned; once all are back they run exactly what is planned, and every change of the
plan kept its due time. A user that the plan ends while it is missing need not come back.

Users that had ended by themselves before their runner died are not missing: they stay away for good, and are
the first that the plan ends, as they are on a runner that lives.

Pure. Times are microseconds on the run's timeline.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from locust_protocol.schedule import Span, UserSchedule, changes, compress, wanted_users
from locust_worker.split import Deal

Missing = Sequence[Mapping[str, int]]
"""Users that are missing, by slot and class."""

Gone = Sequence[Mapping[str, int]]
"""Users that ended by themselves and whose runner is no more, by slot and class."""


@dataclass(frozen=True, slots=True)
class Beat:
    """When users come back: `count` of them, the i-th (from 0) at `first_us + i * interval_us`."""

    first_us: int
    interval_us: int
    count: int

    def next_us(self, now_us: int) -> int:
        """Returns when the next user may come back, when plans change at `now_us`: the rhythm is kept."""
        if not self.count:
            return now_us
        if now_us < self.first_us:
            return self.first_us
        done = min(self.count - 1, (now_us - self.first_us) // self.interval_us)
        return max(now_us, self.first_us + (done + 1) * self.interval_us)


RESTING = Beat(0, 1, 0)
"""Nobody comes back."""


def interval_us(spawn_rate: float) -> int:
    """Returns the microseconds between two users for a rate per second, never too few; 0: all at once."""
    return max(1, math.ceil(1e6 / spawn_rate)) if spawn_rate > 0 else 0


def own_rate(spawn_rate: float, *, own_runners: int, all_runners: int) -> float:
    """Returns the users a second that one agent may bring back, so that all together keep the run's rate.

    `all_runners` are those of the cluster; 0 when nobody said how many.
    """
    return spawn_rate * min(1.0, own_runners / all_runners) if all_runners > 0 else spawn_rate


def rest_of(schedule: UserSchedule, now_us: int) -> UserSchedule:
    """Returns what is left of a schedule: the users wanted now, and the changes after that."""
    spans = []
    for span in schedule.spans:
        done = 0
        if now_us >= span.first_due_us:
            passed_us = now_us - span.first_due_us
            done = min(span.count, passed_us // span.interval_us + 1) if span.interval_us else span.count
        if done < span.count:
            due_us = span.first_due_us + done * span.interval_us
            spans.append(Span(due_us, span.interval_us, span.count - done, span.change))
    return UserSchedule(schedule.user_class, wanted_users(schedule, now_us), tuple(spans))


def come_back(deal: Deal, missing: Missing, beat: Beat, now_us: int, *, gone: Gone = ()) -> Deal:
    """Returns the deal from `now_us` on for runners that lack the missing users, which come back by the beat.

    Those that are gone do not come back. No runner may lack more of a class, in both ways together, than its
    schedule wants at `now_us`; `beat` has a time for each missing one.
    """
    due_us: dict[tuple[int, str], list[int]] = {}
    for turn, place in enumerate(_in_turn(missing)):
        due_us.setdefault(place, []).append(beat.first_us + turn * beat.interval_us)
    away = {(slot, name): users for slot, each in enumerate(gone) for name, users in each.items() if users}
    return [
        tuple(
            _reduced(rest_of(schedule, now_us), due_us.get(place, ()), away.get(place, 0))
            if (place := (slot, schedule.user_class)) in due_us or place in away
            else schedule
            for schedule in share
        )
        for slot, share in enumerate(deal)
    ]


def gone_schedules(deal: Deal, gone: Gone, now_us: int) -> list[UserSchedule]:
    """Returns how many users stay away from `now_us` on, for each runner and class that has such.

    Schedules go below zero when the plan ends more than there are: read them with `gone_users`.
    """
    return [
        UserSchedule(
            schedule.user_class,
            users,
            tuple(span for span in rest_of(schedule, now_us).spans if span.change < 0),
        )
        for share, away in zip(deal, gone, strict=True)
        for schedule in share
        if (users := away.get(schedule.user_class, 0))
    ]


def gone_users(schedules: Iterable[UserSchedule], now_us: int) -> dict[str, int]:
    """Returns how many users of each class stay away now."""
    users: dict[str, int] = {}
    for schedule in schedules:
        if (count := wanted_users(schedule, now_us)) > 0:
            users[schedule.user_class] = users.get(schedule.user_class, 0) + count
    return users


def _in_turn(missing: Missing) -> Iterator[tuple[int, str]]:
    """Yields slot and class of each missing user, those of each spread evenly over the whole."""
    places = [(slot, name) for slot, users in enumerate(missing) for name in sorted(users)]
    turns = [
        ((turn + 0.5) / missing[slot][name], number)
        for number, (slot, name) in enumerate(places)
        for turn in range(missing[slot][name])
    ]
    turns.sort()
    for _, number in turns:
        yield places[number]


def _reduced(rest: UserSchedule, due_us: Sequence[int], gone: int) -> UserSchedule:
    """Returns a schedule that begins with as many users less as are gone or come back at `due_us`."""
    base_users = rest.base_users - len(due_us) - gone
    back = compress(rest.user_class, 0, [(at_us, 1) for at_us in due_us])
    if all(span.change > 0 for span in rest.spans):
        return UserSchedule(rest.user_class, base_users, rest.spans + back.spans)
    users, lacking = base_users, len(due_us)
    kept: list[tuple[int, int]] = []
    planned = [(at_us, 1 if change < 0 else 2, change) for at_us, change in changes(rest)]
    for at_us, order, change in sorted([*planned, *((at_us, 0, 1) for at_us in due_us)]):
        is_return = order == 0
        if is_return and not lacking:
            continue
        if change < 0 and gone:
            gone -= 1
            continue
        if change < 0 and not users:
            lacking -= 1  # the plan ends one that is missing
            continue
        lacking -= is_return
        users += change
        kept.append((at_us, change))
    return compress(rest.user_class, base_users, kept)
