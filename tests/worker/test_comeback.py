"""Users whose runner died come back one by one, and the plan goes on meanwhile."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from locust_protocol.schedule import Span, UserSchedule, changes, wanted_users
from locust_worker.comeback import (
    RESTING,
    Beat,
    come_back,
    gone_schedules,
    gone_users,
    interval_us,
    own_rate,
    rest_of,
)
from locust_worker.split import split_schedules
from tests.worker.test_split import schedules


def total_at(deal: list[tuple[UserSchedule, ...]], at_us: int) -> Counter[str]:
    users: Counter[str] = Counter()
    for share in deal:
        users.update({schedule.user_class: wanted_users(schedule, at_us) for schedule in share})
    return +users


@given(schedules(), st.integers(1, 4), st.integers(0, 40), st.integers(1, 9), st.data())
def test_comeback_never_exceeds_the_plan_and_ends_at_it(
    made: list[UserSchedule], runners: int, now_us: int, interval: int, data: st.DataObject
) -> None:
    """By class, at every moment; no runner is asked to end a user that it does not have."""
    plan = split_schedules(made, runners)
    missing = [
        {schedule.user_class: data.draw(st.integers(0, wanted_users(schedule, now_us))) for schedule in share}
        for share in plan
    ]
    count = sum(sum(users.values()) for users in missing)

    deal = come_back(plan, missing, Beat(now_us, interval, count), now_us)

    end_us = now_us + count * interval
    for at_us in range(now_us, end_us + 60):
        for share in deal:
            assert all(wanted_users(schedule, at_us) >= 0 for schedule in share)
        assert total_at(deal, at_us) <= total_at(plan, at_us)
    assert all(total_at(deal, at_us) == total_at(plan, at_us) for at_us in range(end_us, end_us + 100))


@given(schedules(), st.integers(1, 4), st.integers(0, 40), st.data())
def test_comeback_keeps_every_change_of_the_plan_and_adds_one_user_each_interval(
    made: list[UserSchedule], runners: int, now_us: int, data: st.DataObject
) -> None:
    """The changes that are not the plan's own are starts, at the beat's times, each time once."""
    plan = split_schedules(made, runners)
    missing = [
        {schedule.user_class: data.draw(st.integers(0, wanted_users(schedule, now_us))) for schedule in share}
        for share in plan
    ]
    count = sum(sum(users.values()) for users in missing)
    beat = Beat(now_us, 7, count)

    deal = come_back(plan, missing, beat, now_us)

    added: Counter[int] = Counter()
    for share, planned in zip(deal, plan, strict=True):
        for schedule in share:
            (own,) = [each for each in planned if each.user_class == schedule.user_class]
            if schedule == own:
                continue
            mine, theirs = Counter(changes(schedule)), Counter(changes(rest_of(own, now_us)))
            left_out = theirs - mine
            assert all(change < 0 for _, change in left_out)
            extra = mine - theirs
            assert all(change > 0 for _, change in extra)
            added.update(at_us for at_us, _ in extra.elements())
    assert set(added) <= {now_us + 7 * turn for turn in range(count)}
    assert all(times == 1 for times in added.values())


@given(schedules(), st.integers(1, 4), st.integers(0, 40), st.data())
def test_users_that_are_gone_are_the_first_that_the_plan_ends_and_never_come_back(
    made: list[UserSchedule], runners: int, now_us: int, data: st.DataObject
) -> None:
    """What runs and what is gone is together what is planned, at every moment once the missing are back."""
    plan = split_schedules(made, runners)
    gone: list[dict[str, int]] = []
    missing: list[dict[str, int]] = []
    for share in plan:
        wanted = {schedule.user_class: wanted_users(schedule, now_us) for schedule in share}
        gone.append({name: data.draw(st.integers(0, users)) for name, users in wanted.items()})
        missing.append({name: data.draw(st.integers(0, wanted[name] - gone[-1][name])) for name in wanted})
    count = sum(sum(users.values()) for users in missing)

    deal = come_back(plan, missing, Beat(now_us, 3, count), now_us, gone=gone)

    away = gone_schedules(plan, gone, now_us)
    assert gone_users(away, now_us) == +sum((Counter(users) for users in gone), Counter())
    end_us = now_us + 3 * count
    for at_us in range(now_us, end_us + 60):
        for share in deal:
            assert all(wanted_users(schedule, at_us) >= 0 for schedule in share)
        placed = total_at(deal, at_us) + Counter(gone_users(away, at_us))
        assert placed <= total_at(plan, at_us)
        assert at_us < end_us or placed == total_at(plan, at_us)


@given(schedules(), st.integers(-1, 60))
def test_rest_of_a_schedule_is_the_same_from_now_on(made: list[UserSchedule], now_us: int) -> None:
    """Cut by arithmetic, not by listing every user."""
    for schedule in made:
        rest = rest_of(schedule, now_us)
        later = [change for change in changes(schedule) if change[0] > now_us]
        assert list(changes(rest)) == later
        assert rest.base_users == wanted_users(schedule, now_us)


def test_rest_of_many_at_once_is_all_or_nothing() -> None:
    """A span without an interval is due as a whole."""
    at_once = UserSchedule("A", 1, (Span(5, 0, 3, 1),))
    assert rest_of(at_once, 4) == at_once
    assert rest_of(at_once, 5) == UserSchedule("A", 4, ())


def test_comeback_takes_turns_among_runners_and_classes() -> None:
    """One runner must not wait until another has all its users back."""
    plan = [(UserSchedule("A", 2, ()), UserSchedule("B", 2, ())), (UserSchedule("A", 4, ()),)]
    deal = come_back(plan, [{"A": 2, "B": 2}, {"A": 4}], Beat(100, 10, 8), 100)
    for turn in range(8):
        loads = [sum(wanted_users(each, 100 + 10 * turn) for each in share) for share in deal]
        assert abs(loads[0] - loads[1]) <= 2


def test_interval_is_never_shorter_than_the_rate_says() -> None:
    """Rounding down would spawn too fast; no rate means at once."""
    assert [interval_us(rate) for rate in (0.0, 0.5, 3.0, 1e9)] == [0, 2_000_000, 333_334, 1]


def test_beat_goes_on_in_its_rhythm_when_plans_change() -> None:
    """Two deaths shortly after one another do not double the rate."""
    beat = Beat(1_000, 100, 5)
    assert [beat.next_us(now_us) for now_us in (900, 1_000, 1_050, 1_100, 1_450, 9_000)] == [
        1_000,
        1_100,
        1_100,
        1_200,
        1_500,
        9_000,
    ]
    assert RESTING.next_us(77) == 77


def test_agents_that_all_lose_runners_keep_the_rate_of_the_run_together() -> None:
    """A hundred machines out of memory at once must not log in at a hundred times the rate."""
    assert sum(own_rate(10.0, own_runners=own, all_runners=8) for own in (1, 3, 4)) == 10.0
    assert own_rate(10.0, own_runners=4, all_runners=0) == 10.0
    assert own_rate(10.0, own_runners=4, all_runners=2) == 10.0
    assert own_rate(0.0, own_runners=1, all_runners=2) == 0.0
