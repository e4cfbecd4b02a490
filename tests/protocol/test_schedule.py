"""What a schedule of users says at any moment, and that packing it into spans loses nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_protocol.schedule import (
    Span,
    UserSchedule,
    changes,
    compress,
    final_users,
    last_due_us,
    next_due_us,
    wanted_users,
)

CHANGES = st.lists(st.tuples(st.integers(0, 50), st.sampled_from([1, -1])), max_size=40)

# Spans as a peer may send them: overlapping, in any order, several changes at one moment.
SPANS = st.lists(
    st.builds(
        Span,
        first_due_us=st.integers(0, 30),
        interval_us=st.integers(0, 7),
        count=st.integers(1, 6),
        change=st.sampled_from([1, -1]),
    ),
    max_size=5,
)


def schedule_of(*spans: Span, base_users: int = 0) -> UserSchedule:
    return UserSchedule(user_class="Buyer", base_users=base_users, spans=spans)


@pytest.mark.parametrize(
    ("at_us", "users"), [(0, 2), (99, 2), (100, 3), (109, 3), (110, 4), (120, 5), (121, 5), (10**12, 5)]
)
def test_wanted_users_counts_a_change_from_the_moment_it_is_due(at_us: int, users: int) -> None:
    """A runner that wakes exactly at the due time must act on it."""
    schedule = schedule_of(Span(100, 10, 3, +1), base_users=2)

    assert wanted_users(schedule, at_us) == users


def test_wanted_users_counts_all_at_once_when_the_interval_is_zero() -> None:
    """An interval of 0 means simultaneous, and must not be divided by."""
    schedule = schedule_of(Span(100, 0, 5, -1), base_users=7)

    assert wanted_users(schedule, 99) == 7
    assert wanted_users(schedule, 100) == 2


def test_schedule_without_spans_holds_its_base() -> None:
    """A worker at rest has a schedule too."""
    schedule = schedule_of(base_users=4)

    assert wanted_users(schedule, 0) == final_users(schedule) == 4
    assert next_due_us(schedule, -1) is None
    assert last_due_us(schedule, 10**12) is None


@given(SPANS, st.integers(0, 9), st.integers(-1, 80))
def test_questions_about_a_schedule_agree_with_its_list_of_changes(
    spans: list[Span], base_users: int, at_us: int
) -> None:
    """The closed forms are what runs; the plain list is what they mean."""
    schedule = schedule_of(*spans, base_users=base_users)
    listed = list(changes(schedule))

    assert listed == sorted(listed)
    assert wanted_users(schedule, at_us) == base_users + sum(c for due, c in listed if due <= at_us)
    assert final_users(schedule) == base_users + sum(c for _, c in listed)
    assert next_due_us(schedule, at_us) == min((due for due, _ in listed if due > at_us), default=None)
    assert last_due_us(schedule, at_us) == max((due for due, _ in listed if due <= at_us), default=None)


@given(CHANGES, st.integers(0, 5))
def test_compress_gives_back_exactly_what_went_in(listed: list[tuple[int, int]], base_users: int) -> None:
    """A due time that moved by a microsecond would break the even spacing over the cluster."""
    schedule = compress("Buyer", base_users, listed)

    assert (schedule.user_class, schedule.base_users) == ("Buyer", base_users)
    assert list(changes(schedule)) == sorted(listed)


@given(st.integers(1, 400), st.integers(1, 2_000), st.integers(0, 10**12))
def test_compress_is_exact_for_ramps_of_any_rate(users: int, rate: int, start_us: int) -> None:
    """Rounded ramps are what it is used for, and what its folding into several spans must not bend."""
    listed = [(start_us + (2 * k * 10**6 + rate) // (2 * rate), 1) for k in range(users)]

    assert list(changes(compress("Buyer", 0, listed))) == listed


@pytest.mark.parametrize(("rate", "spans"), [(1, 1), (1000, 1), (3, 3), (30, 3), (60, 3), (7, 7), (700, 7)])
def test_compress_needs_few_spans_when_the_rounding_repeats(rate: int, spans: int) -> None:
    """A rate that does not divide a second must not cost a span for every second user."""
    listed = [((2 * k * 10**6 + rate) // (2 * rate), 1) for k in range(5_000)]

    assert len(compress("Buyer", 0, listed).spans) == spans


def test_compress_keeps_stops_and_starts_apart() -> None:
    """A span has one direction."""
    schedule = compress("Buyer", 3, [(0, -1), (10, -1), (20, 1), (30, 1)])

    assert schedule.spans == (Span(0, 10, 2, -1), Span(20, 10, 2, +1))
