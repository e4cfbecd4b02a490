"""What a new plan takes away: from whom, and what is left running while nobody may start anything for it.

Whoever has not heard of a plan goes on with the one before. Where only one deal is followed, up or down, that
is never more than planned: a worker's part of more users is never smaller than its part of fewer. In all
other changes somebody may run on what another one starts.

Pure: it must never know who has heard what.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice

from locust_master.planning.placement import Placement
from locust_master.planning.plan import PlacementPlan, end_us, planned_placement
from locust_master.planning.schedules import Leg
from locust_master.planning.way import DealtWay
from locust_protocol.schedule import UserSchedule, changes, compress, final_users


def givers(
    before: PlacementPlan,
    after: PlacementPlan,
    *,
    at_us: int,
    idle: Collection[str] = (),
    is_held: bool = False,
) -> frozenset[str]:
    """Return the workers that would run too many users if they went on with `before` from `at_us` on.

    Only workers of `after`: all others are gone. None, when it starts no users, or when both plans follow one
    deal. `idle` run nothing, whatever `before` wants of them. With `is_held` nobody follows the starts of
    `before`.
    """
    if not before.legs or not _starts_users(after.legs) or len(after.by_worker) == 1:
        return frozenset()
    left = [leg for leg in before.legs if leg.turns_until(at_us) < leg.turns]
    if not is_held and _is_one_deal([*left, *after.legs]):
        return frozenset()
    least = _users_by_worker(after.legs[0].way.placement(0))
    for leg in after.legs:
        end = _in_the_end(leg)
        least = {worker: min(count, end.get(worker, 0)) for worker, count in least.items()}
    if is_held:
        most = _users_by_worker(held_placement(before, end_us(before)))
        giving = set()
    else:
        most = _users_by_worker(planned_placement(before, at_us))
        for leg in left:
            end = _in_the_end(leg)
            most = {worker: max(count, end.get(worker, 0)) for worker, count in most.items()}
        giving = {worker for leg in after.legs for worker in _stopping(leg)}
    giving.update(worker for worker, count in least.items() if most.get(worker, 0) > count)
    return frozenset(giving.difference(idle))


def held_placement(plan: PlacementPlan, at_us: int) -> Placement:
    """Return who should be running what at `at_us` when a plan's stops are made and none of its starts."""
    if not plan.legs:
        return {}
    users = {worker: dict(classes) for worker, classes in plan.legs[0].way.placement(0).items()}
    for leg in plan.legs:
        way, width = leg.way, len(leg.way.classes)
        for code in way.stops(min(leg.turns_until(at_us), way.stop_count)):
            by_class, name = users[way.workers[code // width]], way.classes[code % width]
            if by_class.get(name, 0) > 0:  # a later leg may end what an earlier one did not start
                by_class[name] -= 1
    return {
        worker: {name: count for name, count in by_class.items() if count}
        for worker, by_class in users.items()
    }


def held_schedules(schedules: Iterable[UserSchedule]) -> tuple[UserSchedule, ...]:
    """Return schedules without what they start, and without stops of users that only they start."""
    return tuple(_held(each) for each in schedules if each.base_users)


def _held(schedule: UserSchedule) -> UserSchedule:
    spans = tuple(span for span in schedule.spans if span.change < 0)
    held = UserSchedule(schedule.user_class, schedule.base_users, spans)
    if final_users(held) >= 0:
        return held
    stops = islice(changes(held), schedule.base_users)
    return compress(schedule.user_class, schedule.base_users, stops)


def _starts_users(legs: Sequence[Leg]) -> bool:
    return any(min(leg.turns, leg.way.start_count) for leg in legs)


def _is_one_deal(legs: Sequence[Leg]) -> bool:
    deals = [leg.way.deal if isinstance(leg.way, DealtWay) else None for leg in legs]
    return deals[0] is not None and all(deal is deals[0] for deal in deals)


def _in_the_end(leg: Leg) -> Mapping[str, int]:
    return _users_by_worker(leg.way.placement(leg.turns))


def _users_by_worker(placement: Placement) -> dict[str, int]:
    return {worker: sum(classes.values()) for worker, classes in placement.items()}


def _stopping(leg: Leg) -> set[str]:
    width = len(leg.way.classes)
    stops = leg.way.stops(min(leg.turns, leg.way.stop_count))
    return {leg.way.workers[index] for index in {code // width for code in stops}}
