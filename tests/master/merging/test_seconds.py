"""Counts over the seconds of a run: bounded, and never wrong in sum."""

from __future__ import annotations

import pytest

from locust_master.merging.history import OPEN_SECONDS, SHARES, History
from locust_master.merging.seconds import MAX_POINTS, RING_SECONDS, RecentSeconds, Timeline, dealt
from locust_master.merging.sums import Sums


def sums(*values_us: int) -> Sums:
    made = Sums(requests=len(values_us))
    for value in values_us:
        made.successful.record(value)
    return made


def test_timeline_keeps_every_request_when_it_joins_its_points() -> None:
    """A run of a day must not take a day's seconds for each of 2,000 names."""
    timeline = Timeline()
    for second in range(0, 5 * MAX_POINTS, 7):
        timeline.add(second, 2, 1)
    assert sum(timeline.requests().values()) == 2 * len(range(0, 5 * MAX_POINTS, 7))
    assert sum(timeline.failures().values()) == len(range(0, 5 * MAX_POINTS, 7))
    assert timeline.width_s == 8
    assert len(timeline.requests()) <= MAX_POINTS


def test_recent_seconds_forget_what_is_older_than_the_ring() -> None:
    """A place of the ring belongs to its newest second."""
    recent = RecentSeconds()
    recent.add(3, 5, 1)
    recent.add(3 + RING_SECONDS, 7, 2)
    recent.add(3, 100, 100)
    assert recent.sums(0, RING_SECONDS) == (0, 0)
    assert recent.requests(RING_SECONDS + 2, RING_SECONDS + 5) == [0, 7, 0]


@pytest.mark.parametrize(("count", "parts"), [(0, 3), (1, 3), (2, 3), (3, 3), (100, 7)])
def test_dealing_is_even_and_exact(count: int, parts: int) -> None:
    """No second of a joined slice stands out, no request is lost."""
    shares = dealt(count, parts)
    assert sum(shares) == count
    assert max(shares) - min(shares) <= 1


def test_closed_seconds_keep_their_percentiles_and_still_take_counts() -> None:
    """What comes two minutes late counts; the picture of that second stands."""
    history = History()
    history.add(0, 1_000, sums(1_000, 2_000, 3_000), revision=1)
    history.add((OPEN_SECONDS + 5) * 1_000, 1_000, sums(9_000), revision=2)
    first = history.between(0, 1_000)[0]
    assert first.timed is None
    history.add(0, 1_000, sums(50_000), revision=3)
    assert (first.requests, first.revision) == (4, 3)
    assert first.quantiles_us()[0.5] == pytest.approx(2_000, rel=0.001)
    last, figures = list(history.with_totals())[-1]
    assert last.start_ms == (OPEN_SECONDS + 5) * 1_000
    assert (figures.requests, figures.max_us) == (5, 50_000)


def test_totals_up_to_a_second_are_the_same_for_open_and_closed_seconds() -> None:
    """The history export must not show where memory was saved."""
    short, long = History(), History()
    for second in range(10):
        for history in (short, long):
            history.add(second * 1_000, 1_000, sums(1_000 * (second + 1), 500), revision=1)
    long.note_users(10_000_000, 3, revision=2)
    opened = [figures for _, figures in short.with_totals()]
    closed = [figures for _, figures in long.with_totals()][:10]
    assert opened == closed
    assert [second.quantiles_us() for second, _ in short.with_totals()] == [
        second.quantiles_us() for second, _ in list(long.with_totals())[:10]
    ]


def test_a_joined_slice_gives_each_of_its_seconds_the_same_spread() -> None:
    """Response times cannot be told apart by second any more, so none may look better than another."""
    history = History()
    history.add(0, 4_000, sums(*range(100, 900)), revision=1)
    medians = [second.quantiles_us()[0.5] for second in history.between(0, 4_000)]
    assert len(medians) == 4
    assert max(medians) - min(medians) <= 3
    assert SHARES[0] == 0.5


def test_a_reset_lets_the_totals_begin_anew_and_keeps_the_seconds() -> None:
    """Charts show the run, tables what was counted since the reset."""
    history = History()
    history.add(0, 1_000, sums(1_000), revision=1)
    history.begin_totals()
    history.add(1_000, 1_000, sums(2_000), revision=2)
    figures = [figures for _, figures in history.with_totals()]
    assert [each.requests for each in figures] == [1, 1]
    assert len(history.between(0, 2_000)) == 2
