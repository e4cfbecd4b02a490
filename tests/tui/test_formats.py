"""Values on a screen: tables with zero, edges and awkward content."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from locust_tui import formats


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\nb\tc\r\nd", "a b c d"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("csi \x9b31m osc \x9d", "csi 31m osc "),
        ("[bold]markup[/] stays text", "[bold]markup[/] stays text"),
        ("\u202eevil\u2066", "evil"),
        ("漢字 🙂", "漢字 🙂"),
        ("", ""),
    ],
)
def test_plain_leaves_nothing_that_a_terminal_acts_on(text: str, shown: str) -> None:
    """A request name must never move the cursor or change a colour."""
    assert formats.plain(text) == shown


@given(st.text())
def test_plain_has_no_control_characters(text: str) -> None:
    """The law behind the table."""
    assert not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in formats.plain(text))


@given(
    st.text(alphabet=st.characters(blacklist_categories=("C", "M", "Z"))), st.integers(0, 30), st.booleans()
)
def test_fit_gives_exactly_the_width(text: str, width: int, right: bool) -> None:
    """One cell too many breaks every line of a table, wide characters included."""
    assert cell_len(formats.fit(text, width, right=right)) == width


@pytest.mark.parametrize(
    ("number", "width", "shown"),
    [
        (0, None, "0"),
        (1_234_567, None, "1,234,567"),
        (999_999, 7, "999,999"),
        (1_000_000, 7, "1M"),
        (1_234_567, 7, "1.235M"),
        (10**9, 9, "1G"),
        (10**15, 9, "1000T"),
    ],
)
def test_count_is_shortened_where_it_does_not_fit(number: int, width: int | None, shown: str) -> None:
    """Digits must not run over the next column."""
    assert formats.count(number, width=width) == shown


@pytest.mark.parametrize(
    ("per_second", "shown"),
    [
        (0.0, "0.0"),
        (0.01, "<0.1"),
        (0.05, "0.1"),
        (842.34, "842.3"),
        (999.94, "999.9"),
        (999.95, "1,000"),
        (12_345.6, "12,346"),
        (float("nan"), "–"),
        (float("inf"), "–"),
    ],
)
def test_rate(per_second: float, shown: str) -> None:
    """Never nan, and never 0.0 for what is above nothing."""
    assert formats.rate(per_second) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (0, 0, "–"),
        (0, 10, "0.0"),
        (1, 100_000, "<0.1"),
        (4, 1_000, "0.4"),
        (999_999, 1_000_000, "99.9"),
        (7, 7, "100"),
    ],
)
def test_percent_says_all_and_nothing_only_when_it_is_so(part: int, whole: int, shown: str) -> None:
    """100 % failed and 99.96 % failed are different news."""
    assert formats.percent(part, whole) == shown


@pytest.mark.parametrize(
    ("micros", "shown", "with_unit"),
    [
        (None, "–", "–"),
        (0, "0", "0 ms"),
        (412, "0.41", "0.41 ms"),
        (3_440, "3.4", "3.4 ms"),
        (38_400, "38", "38 ms"),
        (9_999_000, "9,999", "9,999 ms"),
        (9_999_600, "10.0 s", "10.0 s"),
        (123_400_000, "123 s", "123 s"),
        (3_600_000_000, "3600 s", "3600 s"),
    ],
)
def test_response_time_is_in_ms_below_ten_seconds(micros: int | None, shown: str, with_unit: str) -> None:
    """The unit of the heading holds, or the cell says its own."""
    assert formats.response_time(micros) == shown
    assert formats.response_time_with_unit(micros) == with_unit


@given(st.integers(0, 3_600_000_000))
def test_response_time_fits_its_column(micros: int) -> None:
    """Up to the hour that histograms hold."""
    assert len(formats.response_time(micros)) <= 7


@pytest.mark.parametrize(
    ("millis", "shown"),
    [(0, "00:00:00"), (192_900, "00:03:12"), (360_000_000, "100:00:00"), (-1, "00:00:00")],
)
def test_duration(millis: int, shown: str) -> None:
    """Hours, minutes, seconds, whatever their number."""
    assert formats.duration(millis) == shown


@pytest.mark.parametrize(
    ("millis", "shown"), [(0, "0s"), (20_000, "20s"), (600_000, "10m"), (5_400_000, "1h30m")]
)
def test_run_time_can_be_typed_back(millis: int, shown: str) -> None:
    """What the form shows is what the flag takes."""
    assert formats.run_time(millis) == shown


@pytest.mark.parametrize(
    ("count_of_bytes", "shown"),
    [
        (None, "–"),
        (0, "0 B"),
        (999, "999 B"),
        (48_200_000, "48.2 MB"),
        (999_600, "1 MB"),
        (10**15, "1,000 TB"),
    ],
)
def test_size(count_of_bytes: int | None, shown: str) -> None:
    """Decimal steps, as in the rest of the terminal."""
    assert formats.size(count_of_bytes) == shown


@pytest.mark.parametrize(
    ("values", "width", "shown"),
    [([], 4, "–"), ([0, 0], 4, "  "), ([0, 1, 2, 8], 4, " ▂▃█"), ([1, 1, 8, 8], 2, "▂█"), ([8], 4, "   █")],
)
def test_sparkline_scales_to_its_own_largest(values: list[int], width: int, shown: str) -> None:
    """The newest second stands at the right, also in a run's first minute."""
    assert formats.sparkline(values, width) == shown
