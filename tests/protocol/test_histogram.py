"""The histogram: exact merging, and quantiles within 0.1 % of what a sorted list says."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_protocol.histogram import (
    MAX_BUCKET_INDEX,
    MAX_VALUE_US,
    PRECISION_BITS,
    Histogram,
    bucket_bounds,
    bucket_index,
    bucket_midpoint_us,
    merged,
)

EXACT_BELOW_US = 1 << (PRECISION_BITS + 1)

values_us = st.one_of(
    st.integers(0, 2 * EXACT_BELOW_US), st.integers(0, MAX_VALUE_US), st.integers(0, 3 * MAX_VALUE_US)
)


def histogram_of(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


@pytest.mark.parametrize(
    ("value_us", "bucket"),
    [
        (-5, 0),
        (0, 0),
        (1, 1),
        (1023, 1023),
        (1024, 1024),
        (1025, 1024),
        (1026, 1025),
        (2047, 1535),
        (2048, 1536),
        (MAX_VALUE_US, 12_122),
        (MAX_VALUE_US + 1, 12_122),
        (1 << 80, 12_122),
    ],
)
def test_bucket_index_follows_the_formula(value_us: int, bucket: int) -> None:
    """The index is on the wire and in stored runs: it may never move."""
    assert bucket_index(value_us) == bucket


@given(st.integers(0, MAX_VALUE_US), st.integers(1, 12))
def test_bucket_bounds_contain_exactly_the_values_of_the_bucket(value_us: int, bits: int) -> None:
    """Index and bounds are inverse to each other at every precision."""
    index = bucket_index(value_us, bits)
    low, high_exclusive = bucket_bounds(index, bits)

    assert low <= value_us < high_exclusive
    assert bucket_index(low, bits) == index
    if high_exclusive <= MAX_VALUE_US:
        assert bucket_index(high_exclusive, bits) == index + 1


@given(st.integers(1, MAX_VALUE_US))
def test_bucket_midpoint_is_within_a_thousandth_of_every_value(value_us: int) -> None:
    """The error bound that the reports promise."""
    midpoint = bucket_midpoint_us(bucket_index(value_us))

    assert abs(midpoint - value_us) <= value_us / 1000
    if value_us < EXACT_BELOW_US:
        assert midpoint == value_us


def test_last_bucket_fits_the_sixteen_bits_of_a_cell_key() -> None:
    """The column coding packs row and bucket into one number."""
    assert bucket_index(MAX_VALUE_US) == MAX_BUCKET_INDEX < 1 << 16


@given(st.lists(st.tuples(values_us, st.integers(1, 5)), max_size=60))
def test_record_equals_its_slow_twin(samples: list[tuple[int, int]]) -> None:
    """The inlined hot path gives the answers of the plain formula."""
    fast, slow = Histogram(), Histogram()
    for value, times in samples:
        fast.record(value, times)
        for _ in range(times):
            slow.add(Histogram({bucket_index(value): 1}, 1, value, value, value))

    assert fast == slow


def test_record_counts_a_negative_value_as_zero() -> None:
    """A user's own clock may step; there is no negative duration and no place for one on the wire."""
    assert histogram_of([-7]) == histogram_of([0])


@pytest.mark.parametrize("times", [0, -1])
def test_record_refuses_fewer_than_one_time(times: int) -> None:
    """A count of zero would be a bucket without samples, which the coding refuses."""
    with pytest.raises(ValueError, match="1 time or more"):
        Histogram().record(5, times)


@given(st.lists(st.lists(values_us, max_size=20), max_size=6), st.randoms(use_true_random=False))
def test_merge_in_any_order_and_grouping_equals_one_histogram_fed_with_all(parts, random) -> None:  # type: ignore[no-untyped-def]
    """Samples travel through runners, agents and seconds; no path may change the result."""
    expected = histogram_of([value for part in parts for value in part])
    histograms = [histogram_of(part) for part in parts]

    random.shuffle(histograms)
    while len(histograms) > 1:
        first = histograms.pop(random.randrange(len(histograms)))
        second = histograms.pop(random.randrange(len(histograms)))
        histograms.append(merged([first, second]))

    assert merged(histograms) == expected


def test_add_leaves_the_other_histogram_alone() -> None:
    """A merged total must not share its buckets with a part that goes on growing."""
    part = histogram_of([5])
    total = Histogram()
    total.add(part)

    total.record(6)

    assert part == histogram_of([5])


def test_copy_shares_nothing() -> None:
    """A snapshot stays as it was while samples arrive."""
    original = histogram_of([1, 2])
    snapshot = original.copy()

    original.record(3)

    assert snapshot == histogram_of([1, 2])


@given(
    st.lists(values_us, min_size=1, max_size=200),
    st.sampled_from([0.0, 0.07, 0.5, 0.66, 0.95, 0.99, 0.999, 1.0]),
)
def test_quantile_is_within_a_thousandth_of_the_sorted_list(values: list[int], q: float) -> None:
    """Nearest rank on the merged histogram, as the reports define a percentile."""
    rank = max(1, math.ceil(round(q * 1000) * len(values) / 1000))
    truth = sorted(values)[rank - 1]

    answer = histogram_of(values).quantile_us(q)

    assert answer is not None
    assert min(values) <= answer <= max(values)
    if q in (0.0, 1.0):
        assert answer == truth
    elif truth <= MAX_VALUE_US:
        assert abs(answer - truth) <= truth / 1000
        if truth < EXACT_BELOW_US:
            assert answer == truth
    else:
        assert answer >= min(values)


def test_quantile_uses_the_nearest_rank_despite_rounding_of_the_product() -> None:
    """0.07 * 100 is a hair above 7 in floating point; the seventh value is meant, not the eighth."""
    assert histogram_of(list(range(1, 101))).quantile_us(0.07) == 7.0


def test_quantiles_answer_in_the_order_asked() -> None:
    """A table asks for all of its columns at once, in the table's order."""
    histogram = histogram_of(list(range(1, 101)))

    assert histogram.quantiles_us([0.99, 0.5, 1.0, 0.0]) == [99.0, 50.0, 100.0, 1.0]


def test_quantile_of_an_empty_histogram_is_none() -> None:
    """A value without meaning is not zero."""
    assert Histogram().quantile_us(0.5) is None
    assert Histogram().mean_us is None


@pytest.mark.parametrize("q", [-0.1, 1.1, math.nan])
def test_quantile_refuses_what_is_not_a_share(q: float) -> None:
    """95 instead of 0.95 must not pass in silence."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        histogram_of([1]).quantile_us(q)


def test_figures_stay_exact_above_the_last_bucket() -> None:
    """A sample of two hours is clipped in its bucket only."""
    histogram = histogram_of([2 * MAX_VALUE_US, 10])

    assert (histogram.min_us, histogram.max_us) == (10, 2 * MAX_VALUE_US)
    assert histogram.total_us == 2 * MAX_VALUE_US + 10
    assert histogram.mean_us == MAX_VALUE_US + 5
    assert histogram.quantile_us(1.0) == 2 * MAX_VALUE_US
