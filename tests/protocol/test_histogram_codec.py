"""The three columns that carry many histograms: what is written is read, what is malformed is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_protocol.histogram import MAX_BUCKET_INDEX
from locust_protocol.histogram_codec import MAX_ROWS, MalformedCells, decode_cells, encode_cells

rows_of_cells = st.lists(
    st.dictionaries(
        st.integers(0, MAX_BUCKET_INDEX), st.one_of(st.just(1), st.integers(1, 1 << 63)), max_size=20
    ),
    max_size=12,
)


@given(rows_of_cells)
def test_decoding_gives_back_what_was_encoded(rows: list[dict[int, int]]) -> None:
    """Not one sample may be lost between two machines."""
    deltas, counts, several = encode_cells(rows)

    assert decode_cells(deltas, counts, several, row_count=len(rows)) == rows
    assert all(0 <= delta < 1 << 32 for delta in deltas + several)


def test_encoding_writes_the_first_key_whole_and_then_differences() -> None:
    """The wire format: key = row * 65,536 + bucket, ascending."""
    deltas, _, _ = encode_cells([{7: 2, 3: 1}, {}, {5: 9}])
    assert deltas == [3, 4, 2 * 65_536 + 5 - 7]


def test_encoding_writes_counts_only_of_cells_with_several_samples() -> None:
    """Nearly every cell of a second holds one sample, of which nothing needs to be said."""
    _, counts, several = encode_cells([{3: 1, 7: 2, 8: 1}, {1: 1}, {4: 1, 5: 9}])
    assert (counts, several) == ([2, 9], [1, 4])
    assert encode_cells([{3: 1, 7: 1}])[1:] == ([], [])


def test_encoding_nothing_takes_no_space() -> None:
    """A report without requests is a heartbeat and stays small."""
    assert encode_cells([{}, {}]) == ([], [], [])
    assert decode_cells([], [], [], row_count=2) == [{}, {}]


def test_the_very_first_cell_may_have_the_key_zero() -> None:
    """Row 0 with a sample of 0 µs; zero is a difference only there."""
    assert decode_cells([0], [4], [0], row_count=1) == [{0: 4}]


@pytest.mark.parametrize(
    ("deltas", "row_count", "what"),
    [
        ([1 << 16], 1, "row 1 is not one of 1 rows"),
        ([0], 0, "row 0 is not one of 0 rows"),
        ([3, 0], 1, "keys do not ascend: 3 is followed by 3"),
        ([3, -1], 1, "keys do not ascend: 3 is followed by 2"),
        ([-1], 1, "keys do not ascend"),
        ([MAX_BUCKET_INDEX + 1], 1, f"row 0 has bucket {MAX_BUCKET_INDEX + 1}"),
        ([5, MAX_BUCKET_INDEX], 1, f"row 0 has bucket {MAX_BUCKET_INDEX + 5}"),
    ],
)
def test_decoding_names_what_is_off_with_keys(deltas: list[int], row_count: int, what: str) -> None:
    """A peer's bug must be readable in the log of the side that refuses."""
    with pytest.raises(MalformedCells, match=what):
        decode_cells(deltas, [], [], row_count=row_count)


@pytest.mark.parametrize(
    ("counts", "several", "what"),
    [
        ([2], [0, 1], "2 places do not fit 1 counts"),
        ([2], [], "0 places do not fit 1 counts"),
        ([2], [3], "place 3 of a count is not one of 3 cells"),
        ([2, 2], [1, 2], "place 3 of a count is not one of 3 cells"),
        ([2, 2], [1, 0], "places of counts do not ascend: 1 is followed by 1"),
        ([2], [-1], "places of counts do not ascend"),
        ([0], [1], "a cell with several samples has the count 0"),
        ([1], [1], "a cell with several samples has the count 1"),
    ],
)
def test_decoding_names_what_is_off_with_counts(counts: list[int], several: list[int], what: str) -> None:
    """One way to say a thing: what holds one sample is not listed, and nothing is listed twice."""
    with pytest.raises(MalformedCells, match=what):
        decode_cells([3, 1, 1], counts, several, row_count=1)


@given(
    st.lists(st.integers(-5, 1 << 32), max_size=6),
    st.lists(st.integers(-1, 5), max_size=3),
    st.lists(st.integers(-1, 5), max_size=3),
    st.integers(0, 4),
)
def test_decoding_any_columns_gives_rows_or_says_malformed(
    deltas: list[int], counts: list[int], several: list[int], row_count: int
) -> None:
    """Whatever arrives, the master neither crashes in another way nor makes up samples."""
    try:
        rows = decode_cells(deltas, counts, several, row_count=row_count)
    except MalformedCells:
        return
    assert len(rows) == row_count
    assert sum(sum(cells.values()) for cells in rows) == len(deltas) + sum(counts) - len(counts)


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ([{1: 0}], "count below 1"),
        ([{1: 0, 2: 2}], "count below 1"),
        ([{}, {MAX_BUCKET_INDEX + 1: 1}], "row 1 has a bucket outside"),
        ([{-1: 1}], "row 0 has a bucket outside"),
        ([{}] * (MAX_ROWS + 1), "over the limit"),
    ],
)
def test_encoding_refuses_what_no_one_could_decode(rows: list[dict[int, int]], what: str) -> None:
    """A bug is found where it is made, not on another machine."""
    with pytest.raises(MalformedCells, match=what):
        encode_cells(rows)
