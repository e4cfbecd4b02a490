"""Histograms in a pool answer what plain ones answer, whatever was added, taken away or cleared before."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from locust_master.merging.cells import CellPool, PooledHistogram
from locust_protocol.histogram import MAX_VALUE_US, Histogram

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
    assert pool.dense(3).sum() == 0


def test_cells_of_many_rows_are_added_at_once() -> None:
    """A cell may come twice, and a row far beyond all others is no trouble."""
    pool = CellPool()
    pool.add(np.array([5, 5, 4_000]), np.array([9, 9, 12_000]), np.array([2, 3, 7]))
    pool.add(np.array([5]), np.array([9]), None)
    assert (pool.dense(5)[9], pool.dense(4_000)[12_000], pool.dense(6).sum()) == (6, 7, 0)
