"""Histograms in a pool answer what plain ones answer, whatever was added, taken away or cleared before."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locust_master.merging.cells import ArrayHistogram, CellPool, PooledHistogram
from locust_protocol.histogram import MAX_BUCKET_INDEX, MAX_VALUE_US, Histogram

ROWS = 4
SHARES = (0.0, 0.1, 0.5, 0.9, 0.999, 1.0)

values = st.one_of(st.integers(0, 3_000), st.integers(0, 2 * MAX_VALUE_US))
batches = st.lists(values, min_size=1, max_size=30)
deeds = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, ROWS - 1), batches),
        st.tuples(st.just("take back"), st.integers(0, ROWS - 1), st.just([])),
        st.tuples(st.just("clear"), st.integers(0, ROWS - 1), st.just([])),
    ),
    max_size=30,
)


def histogram(samples: list[int]) -> Histogram:
    plain = Histogram()
    for value_us in samples:
        plain.record(value_us)
    return plain


def played(script: list[tuple[str, int, list[int]]]) -> tuple[list[PooledHistogram], list[Histogram]]:
    """Plays a script on pooled histograms and on plain ones."""
    pool = CellPool()
    pooled, plain = [PooledHistogram(pool, row) for row in range(ROWS)], [Histogram() for _ in range(ROWS)]
    added: list[list[Histogram]] = [[] for _ in range(ROWS)]
    for deed, row, samples in script:
        if deed == "add":
            added[row].append(histogram(samples))
            for each in (pooled[row], plain[row]):
                each.add(added[row][-1])
        elif deed == "clear":
            added[row].clear()
            for each in (pooled[row], plain[row]):
                each.clear()
        elif added[row]:
            taken = added[row].pop(0)
            for each in (pooled[row], plain[row]):
                each.subtract(taken)
    return pooled, plain


@given(script=deeds)
@settings(max_examples=200, deadline=None)
def test_a_pooled_histogram_is_a_histogram(script: list[tuple[str, int, list[int]]]) -> None:
    """Nobody who asks a row needs to know where its buckets are."""
    for pooled, plain in zip(*played(script), strict=True):
        assert pooled == plain
        assert plain == pooled
        assert pooled.counts == plain.counts
        assert pooled.quantiles_us(SHARES) == plain.quantiles_us(SHARES)
        assert (pooled.copy(), type(pooled.copy())) == (plain, Histogram)


@given(script=deeds)
@settings(max_examples=100, deadline=None)
def test_joined_histograms_of_a_pool_hold_the_samples_of_both(
    script: list[tuple[str, int, list[int]]],
) -> None:
    """Percentiles of a row are over its successes and failures together."""
    pooled, plain = played(script)
    both, expected = pooled[0].joined(pooled[1]), plain[0].joined(plain[1])
    assert both == expected
    assert both.quantiles_us(SHARES) == expected.quantiles_us(SHARES)
    assert pooled[0].joined(plain[1]) == expected


@given(samples=batches)
def test_a_recorded_value_is_a_histogram_of_one(samples: list[int]) -> None:
    """The whole of a histogram's verbs holds for a pooled one."""
    pooled = PooledHistogram(CellPool(), 7)
    for value_us in samples:
        pooled.record(value_us)
    assert pooled == histogram(samples)


def test_pages_of_a_cleared_row_are_used_again() -> None:
    """Statistics may be reset a thousand times."""
    pool = CellPool()
    for row in range(200):
        wide = PooledHistogram(pool, row)
        for value_us in range(0, 3_000_000, 30_000):
            wide.record(value_us)
        if row == 0:
            held = pool.page_count
        wide.clear()
    assert pool.page_count == held
    assert pool.stretch(3)[1].sum() == 0


def test_cells_of_many_rows_are_added_at_once() -> None:
    """A cell may come twice, and a row far beyond all others is no trouble."""
    pool = CellPool()
    pool.add(np.array([5, 5, 4_000]), np.array([9, 9, 12_000]), np.array([2, 3, 7]))
    pool.add(np.array([5]), np.array([9]), None)
    found = [PooledHistogram(pool, row).counts for row in (5, 4_000, 6)]
    assert found == [{9: 6}, {12_000: 7}, {}]


@given(samples=st.lists(values, max_size=30), others=st.lists(values, max_size=30))
def test_a_histogram_of_an_array_joins_any_other(samples: list[int], others: list[int]) -> None:
    """What is gathered is read once, and never changed."""
    plain, other = histogram(samples), histogram(others)
    dense = np.zeros(MAX_BUCKET_INDEX + 1, np.int64)
    for bucket, times in plain.counts.items():
        dense[bucket] = times
    array = ArrayHistogram(dense)
    array.count, array.total_us, array.min_us, array.max_us = (
        plain.count,
        plain.total_us,
        plain.min_us,
        plain.max_us,
    )
    pooled = PooledHistogram(CellPool(), 3)
    pooled.add(other)
    assert array == plain
    assert array.joined(other) == array.joined(pooled) == plain.joined(other)
    assert array.quantiles_us(SHARES) == plain.quantiles_us(SHARES)
    with pytest.raises(TypeError):
        array.add(other)
