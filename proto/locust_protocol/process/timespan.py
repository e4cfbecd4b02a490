"""Time spans as people write them (`300`, `300s`, `20m`, `1h30m`), and durations as people read them.

Pure: no clock.
"""

from __future__ import annotations

import re

_NUMBER = r"\d+(?:\.\d+)?"
_SECONDS_ALONE = re.compile(_NUMBER, re.ASCII)
_PARTS = re.compile(
    rf"(?:(?P<hours>{_NUMBER})h)?(?:(?P<minutes>{_NUMBER})m)?(?:(?P<seconds>{_NUMBER})s)?", re.ASCII
)
_UNIT_S = {"hours": 3600, "minutes": 60, "seconds": 1}


def parse_timespan(text: str) -> float:
    """Return the seconds of a time span; an `int` where they are whole, as Locust's users expect.

    Hours, minutes and seconds in this order, each optional, decimals allowed; a number alone is seconds.
    Raises `ValueError` with a sentence that names the text and shows valid ones.
    """
    stripped = text.strip()
    if _SECONDS_ALONE.fullmatch(stripped):
        total = float(stripped)
    else:
        parts = _PARTS.fullmatch(stripped)
        if not stripped or parts is None:
            raise ValueError(f"'{text}' is not a time span; valid are 300, 300s, 20m, 3h, 1h30m, 0.5s")
        total = sum(float(number) * _UNIT_S[unit] for unit, number in parts.groupdict().items() if number)
    return int(total) if total.is_integer() else total


def format_duration(seconds: float) -> str:
    """Return whole seconds as `00:03:12` (hours, minutes, seconds); a negative duration shows as zero."""
    whole = max(0, int(seconds))
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
