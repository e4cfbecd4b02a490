"""Time spans as Locust's users write them."""

from __future__ import annotations

import pytest

from locust_protocol.process.timespan import format_duration, parse_timespan


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("300", 300),
        ("300s", 300),
        ("20m", 1200),
        ("3h", 10_800),
        ("1h30m", 5400),
        ("1h20s", 3620),
        ("3h30m10s", 12_610),
        ("0.5s", 0.5),
        ("1.5h", 5400),
        ("0.25", 0.25),
        (" 20s ", 20),
    ],
)
def test_parse_timespan_gives_seconds(text: str, seconds: float) -> None:
    """The forms of Locust, and decimals."""
    assert parse_timespan(text) == seconds
    assert isinstance(parse_timespan(text), int) == float(seconds).is_integer()


@pytest.mark.parametrize(
    "text", ["", " ", "q", "10x", "-5", "1m1h", "5 m", "1h 30m", "٣s", "1e3", "inf", "s"]
)
def test_parse_timespan_names_what_it_cannot_read(text: str) -> None:
    """A wrong run time must not become another one."""
    with pytest.raises(ValueError, match="is not a time span; valid are") as refusal:
        parse_timespan(text)

    assert f"'{text}'" in str(refusal.value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "00:00:00"),
        (-3, "00:00:00"),
        (59.9, "00:00:59"),
        (192, "00:03:12"),
        (3600, "01:00:00"),
        (360_000, "100:00:00"),
    ],
)
def test_format_duration_counts_whole_seconds(seconds: float, text: str) -> None:
    """A clock that a person reads never shows a second that has not passed."""
    assert format_duration(seconds) == text
