"""The measure of spawn times itself: what it computes from stamps, and what it keeps of them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from benchmarks.spawn_times.arrivals import Arrival, Moment, read_arrivals
from benchmarks.spawn_times.lateness import (
    NS_PER_MS,
    NS_PER_S,
    RunStart,
    Sighting,
    best_start_ns,
    due_ns,
    errors_ms,
    run_start,
    spread_of,
)
from benchmarks.spawn_times.mix import mix_errors
from benchmarks.spawn_times.record import Start, from_csv, to_csv
from benchmarks.spawn_times.results import starts_of
from benchmarks.spawn_times.scenario import Observation
from hypothesis import given
from hypothesis import strategies as st

RATE = Fraction(2)


@given(
    st.integers(0, 10**12),
    st.lists(st.tuples(*[st.integers(0, 5 * 10**6)] * 2, st.integers(10**6, 10**11)), min_size=1),
)
def test_run_start_lies_within_its_error_whatever_was_sighted(
    start_ns: int, exchanges: list[tuple[int, int, int]]
) -> None:
    """The master reads its clock somewhere between question and answer, and rounds down to a millisecond."""
    sightings = [
        Sighting(
            asked_ns=start_ns + age_ns - before_ns,
            elapsed_ms=age_ns // NS_PER_MS,
            answered_ns=start_ns + age_ns + after_ns,
        )
        for before_ns, after_ns, age_ns in exchanges
    ]
    found = run_start(sightings)
    assert abs(found.at_ns - start_ns) <= found.error_ns + 1


def test_run_start_is_refused_when_sightings_contradict_each_other() -> None:
    """A clock that jumped makes every figure worthless."""
    first = Sighting(asked_ns=10 * NS_PER_MS, elapsed_ms=5, answered_ns=11 * NS_PER_MS)
    later = Sighting(asked_ns=30 * NS_PER_MS, elapsed_ms=5, answered_ns=31 * NS_PER_MS)
    with pytest.raises(ValueError, match="contradict"):
        run_start([first, later])
    with pytest.raises(ValueError, match="no sighting"):
        run_start([Sighting(asked_ns=0, elapsed_ms=0, answered_ns=1)])


def test_best_start_forgives_one_user_in_twenty_and_centres_the_rest() -> None:
    """Whoever's start is not known gets the one that is best for it."""
    late_ms = [0, 20] * 9 + [0, 900]
    arrivals = [NS_PER_S + due_ns(index, RATE) + late * NS_PER_MS for index, late in enumerate(late_ms)]
    start_ns = best_start_ns(arrivals, RATE)
    assert start_ns == NS_PER_S + 10 * NS_PER_MS
    spread = spread_of(errors_ms(arrivals, start_ns=start_ns, spawn_rate=RATE))
    assert (spread.median_ms, spread.p95_ms, spread.max_ms, spread.earliest_ms) == (10, 10, 890, -10)
    assert spread.within_25_ms == 0.95


@pytest.mark.parametrize(
    ("sequence", "errors"),
    [
        ("ABAB", [0.5, 0, 0.5, 0]),
        ("AAB", [0.5, 1, 0.5]),
        ("ABa", [0.5, 0, 0.5]),
        ("", []),
    ],
)
def test_mix_error_is_the_distance_of_the_class_furthest_from_its_share(
    sequence: str, errors: list[float]
) -> None:
    """After each user that starts (a capital) or stops."""
    arrivals = [
        Arrival(index, Moment.STARTED if name.isupper() else Moment.STOPPED, name.upper(), 0)
        for index, name in enumerate(sequence)
    ]
    assert [each.error_users for each in mix_errors(arrivals, {"A": 1, "B": 1})] == errors


def test_rows_come_back_from_their_text() -> None:
    """Figures can be drawn again without measuring."""
    starts = read_arrivals([(1_501_000_000, "/started/Buyer/4"), (1_002_000_000, "/started/Reader/3")])
    observed = Observation(
        starts=starts, stops=[], start=RunStart(at_ns=NS_PER_S, error_ns=0), busiest_runner=0.1
    )
    rows = starts_of("ours", 2, observed, RATE)
    assert rows == [Start("ours", 2, "Reader", 3, 0, 2), Start("ours", 2, "Buyer", 4, 500, 501)]
    assert from_csv(to_csv(rows)) == rows
    with pytest.raises(ValueError, match="first line"):
        from_csv("a,b\n")
