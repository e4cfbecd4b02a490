"""A worker's share dealt to its runners: the same users, the same times, evenly."""

import time
from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from locust_protocol.schedule import Span, UserSchedule, changes, compress, wanted_users
from locust_worker.split import split_schedules

NAMES = ("A", "B", "C")


@st.composite
def schedules(draw: st.DrawFn) -> list[UserSchedule]:
    """Schedules of up to three classes that never ask for fewer than no users."""
    made: list[UserSchedule] = []
    for name in NAMES[: draw(st.integers(1, 3))]:
        base = users = draw(st.integers(0, 12))
        listed: list[tuple[int, int]] = []
        due_us = 0
        for start, wait_us in draw(st.lists(st.tuples(st.booleans(), st.integers(1, 5)), max_size=20)):
            change = 1 if start or users == 0 else -1
            users += change
            due_us += wait_us
            listed.append((due_us, change))
        made.append(compress(name, base, listed))
    return made


@st.composite
def running(draw: st.DrawFn, runners: int) -> list[dict[str, int]]:
    """Anything at all on each runner, a class included that no schedule names."""
    return [{name: draw(st.integers(0, 5)) for name in (*NAMES, "Old")} for _ in range(runners)]


def users_at(split: Sequence[Sequence[UserSchedule]], at_us: int) -> list[Counter[str]]:
    return [
        Counter({schedule.user_class: wanted_users(schedule, at_us) for schedule in dealt}) for dealt in split
    ]


def moments(made: Sequence[UserSchedule]) -> list[int]:
    return [-1, *sorted({due_us for schedule in made for due_us, _ in changes(schedule)})]


@given(schedules(), st.integers(1, 6), st.data())
def test_runners_add_up_to_the_worker_at_every_moment(
    made: list[UserSchedule], runners: int, data: st.DataObject
) -> None:
    """Class by class, whatever the runners run now."""
    current = data.draw(st.none() | running(runners))

    split = split_schedules(made, runners, current=current)

    for at_us in moments(made):
        total: Counter[str] = Counter()
        for users in users_at(split, at_us):
            assert all(count >= 0 for count in users.values())
            total.update(users)
        assert +total == +Counter({s.user_class: wanted_users(s, at_us) for s in made})


@given(schedules(), st.integers(1, 6), st.data())
def test_runners_stay_within_one_user_of_each_other(
    made: list[UserSchedule], runners: int, data: st.DataObject
) -> None:
    """Over all classes, not class by class, at every moment."""
    current = data.draw(st.none() | running(runners))

    split = split_schedules(made, runners, current=current)

    for at_us in moments(made):
        loads = [users.total() for users in users_at(split, at_us)]
        assert max(loads) - min(loads) <= 1


@given(schedules(), st.integers(1, 6))
def test_runners_change_only_when_the_worker_does(made: list[UserSchedule], runners: int) -> None:
    """A due time is the cluster's, and no runner may shift it."""
    split = split_schedules(made, runners)

    dues = {due_us for dealt in split for schedule in dealt for due_us, _ in changes(schedule)}
    assert dues <= set(moments(made))


@given(schedules(), st.integers(1, 6), st.integers(0, 60))
def test_split_in_the_middle_leaves_every_user_where_it_is(
    made: list[UserSchedule], runners: int, at_us: int
) -> None:
    """An edit moves no user that it does not have to."""
    before = users_at(split_schedules(made, runners), at_us)
    rest = [UserSchedule(s.user_class, wanted_users(s, at_us), ()) for s in made]

    after = users_at(split_schedules(rest, runners, current=before), at_us)

    assert [+users for users in after] == [+users for users in before]


@given(schedules(), st.integers(1, 5), st.data())
def test_dead_runner_gets_nothing_and_the_others_all(
    made: list[UserSchedule], runners: int, data: st.DataObject
) -> None:
    """Its share moves to those that live, whose slots keep their places in the answer."""
    alive = data.draw(st.lists(st.booleans(), min_size=runners, max_size=runners).filter(any))
    current = data.draw(running(runners))

    split = split_schedules(made, runners, current=current, alive=alive)

    assert [bool(lives) or dealt == () for lives, dealt in zip(alive, split, strict=True)] == [True] * runners
    for at_us in moments(made):
        users = users_at(split, at_us)
        assert sum(u.total() for u in users) == sum(wanted_users(s, at_us) for s in made)
        loads = [u.total() for u, lives in zip(users, alive, strict=True) if lives]
        assert max(loads) - min(loads) <= 1


def test_split_deals_nothing_when_no_runner_lives() -> None:
    """The agent has nobody to tell."""
    assert split_schedules([UserSchedule("A", 5, ())], 2, alive=[False, False]) == [(), ()]


def test_split_of_a_plain_ramp_is_one_span_for_each_runner() -> None:
    """Due times alternate, so each runner has an even ramp of its own."""
    split = split_schedules([UserSchedule("A", 0, (Span(0, 100, 10, +1),))], 2)

    assert split == [
        (UserSchedule("A", 0, (Span(0, 200, 5, +1),)),),
        (UserSchedule("A", 0, (Span(100, 200, 5, +1),)),),
    ]


def test_split_mixes_classes_on_every_runner_when_their_turns_coincide() -> None:
    """Two classes in turn on two runners must not become a runner for each class."""
    made = [
        UserSchedule("A", 0, (Span(0, 200, 10, +1),)),
        UserSchedule("B", 0, (Span(100, 200, 10, +1),)),
    ]

    assert users_at(split_schedules(made, 2), 10_000) == [{"A": 5, "B": 5}, {"A": 5, "B": 5}]


def test_split_fills_a_runner_that_came_back() -> None:
    """A restarted runner is empty: what is missing starts there, and nobody else moves."""
    made = [UserSchedule("A", 5, (Span(100, 100, 1, +1),))]

    split = split_schedules(made, 3, current=[{"A": 2}, {"A": 2}, {}])

    assert [users["A"] for users in users_at(split, 0)] == [2, 2, 1]
    assert [users["A"] for users in users_at(split, 100)] == [2, 2, 2]


def test_split_of_a_huge_ramp_does_not_hold_the_agent_up() -> None:
    """50,000 users, up and down, are dealt while the agent's one loop waits."""
    up = [UserSchedule(name, 0, (Span(index, 5, 10_000, +1),)) for index, name in enumerate("ABCDE")]
    down = [UserSchedule("A", 50_000, (Span(0, 1, 50_000, -1),))]
    for what, made in (("up", up), ("down", down)):
        for runners in (2, 64):
            started_s = time.process_time()
            split_schedules(made, runners)
            taken_s = time.process_time() - started_s
            print(f"50,000 users {what} on {runners} runners: {taken_s * 1000:.0f} ms of CPU")
            assert taken_s < 1.0


@given(schedules(), st.integers(1, 6))
def test_split_is_the_same_every_time(made: list[UserSchedule], runners: int) -> None:
    """Told again, an agent tells its runners the same."""
    assert split_schedules(made, runners) == split_schedules(made, runners)
