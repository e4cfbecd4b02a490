"""How values look on a screen: numbers, times, texts. Pure.

One value always looks the same, wherever it is shown: counts with thousands separated, rates with four
significant digits at most, response times in ms below 10 s, and "–" where there is no value, never 0 or
nan. Texts from outside (names, errors, log lines) pass `plain` before they are drawn: what a terminal or
a markup parser would act on must never reach one.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

from locust_protocol.process.timespan import format_duration

NO_VALUE = "–"
ELLIPSIS = "…"
SPARK_LEVELS = "▁▂▃▄▅▆▇█"

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060\u2066-\u2069\ufeff"  # order and width of a line
    "\ud800-\udfff]"  # halves of characters, which no terminal encoding can carry
)
_SPACES = re.compile(r"[\t\n\r\x0b\x0c]+")
_STEPS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def plain(text: str) -> str:
    """Returns `text` as one line that no terminal acts on: breaks and tabs become spaces."""
    return _UNSAFE.sub("", _SPACES.sub(" ", text))


def plain_lines(text: str) -> str:
    """As `plain`, but keeps lines; a tab becomes four spaces."""
    return "\n".join(_UNSAFE.sub("", line.replace("\t", "    ")) for line in text.splitlines())


def cut(text: str, width: int) -> str:
    """Returns `text` in at most `width` terminal cells, its end replaced by "…" when it is longer."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + ELLIPSIS


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Returns `text` in exactly `width` cells."""
    shown = cut(text, width)
    gap = " " * (width - cell_len(shown))
    return gap + shown if right else shown + gap


def count(number: int, *, width: int | None = None) -> str:
    """Returns a count with thousands separated, shortened to "1.235M" where `width` cells do not hold it."""
    exact = f"{number:,}"
    if width is None or len(exact) <= width:
        return exact
    return _short(float(number))


def counted(number: int, noun: str) -> str:
    """Returns "1 worker" or "1,200 workers", for nouns that take an s."""
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"


def _short(number: float) -> str:
    for step, letter in _STEPS:
        if number >= step:
            return f"{number / step:.4g}{letter}"
    return f"{number:.4g}"


def rate(per_second: float) -> str:
    """Returns a rate: one decimal below 1,000, and never "0.0" for what is above nothing."""
    if not math.isfinite(per_second):
        return NO_VALUE
    if per_second >= 999.95:
        return f"{per_second:,.0f}"
    if 0 < per_second < 0.05:
        return "<0.1"
    return f"{per_second:.1f}"


def percent(part: float, whole: float) -> str:
    """Returns a share without its sign: "–" of nothing, "<0.1" for the smallest, "100" only for all."""
    if whole <= 0:
        return NO_VALUE
    share = 100 * part / whole
    if 0 < share < 0.05:
        return "<0.1"
    if share >= 100:
        return f"{share:,.0f}"
    return f"{min(share, 99.9):.1f}"


def response_time(micros: int | None) -> str:
    """Returns a response time for a column headed in ms: "0.41", "38", "9,999", and "12.3 s" from 10 s on."""
    if micros is None:
        return NO_VALUE
    millis = micros / 1_000
    if millis >= 9_999.5:
        seconds = millis / 1_000
        return f"{seconds:.1f} s" if seconds < 99.95 else f"{seconds:.0f} s"
    if millis >= 9.95:
        return f"{millis:,.0f}"
    if millis >= 0.995:
        return f"{millis:.1f}"
    return f"{millis:.2f}".rstrip("0").rstrip(".")


def response_time_with_unit(micros: int | None) -> str:
    """Returns a response time that stands alone: "38 ms", "12.3 s"."""
    text = response_time(micros)
    return text if text == NO_VALUE or text.endswith("s") else f"{text} ms"


def duration(millis: float) -> str:
    """Returns "00:03:12", for any number of hours."""
    return format_duration(millis / 1_000)


def run_time(millis: int) -> str:
    """Returns a run time as the flag takes it: "1h30m", "20s"."""
    seconds = millis // 1_000
    hours, minutes, rest = seconds // 3_600, seconds // 60 % 60, seconds % 60
    parts = [f"{value}{unit}" for value, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if value]
    return "".join(parts) or "0s"


def ago(millis: float) -> str:
    """Returns how long ago: "0.4 s", "12 s", "00:03:12"."""
    seconds = max(0.0, millis / 1_000)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else duration(millis)


def number(value: float) -> str:
    """Returns a number as a person would type it: "10", "0.5"."""
    return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.0f}"


def size(count_of_bytes: float | None) -> str:
    """Returns a size in bytes with decimal steps: "512 B", "48.2 MB"."""
    if count_of_bytes is None:
        return NO_VALUE
    if count_of_bytes < 999.5:
        return f"{count_of_bytes:.0f} B"
    for step, letter in reversed(_STEPS):
        if count_of_bytes < step * 999.5:
            return f"{count_of_bytes / step:.3g} {letter}B"
    return f"{count_of_bytes / _STEPS[0][0]:,.0f} TB"


def sparkline(values: Sequence[int], width: int) -> str:
    """Returns the run of `values` in `width` cells, scaled to its own largest; nothing is a blank."""
    if not values or width <= 0:
        return NO_VALUE
    heights = _joined(values, width)
    highest = max(heights)
    if highest <= 0:
        return " " * len(heights)
    top = len(SPARK_LEVELS) - 1
    return "".join(
        SPARK_LEVELS[round(height / highest * top)] if height > 0 else " " for height in heights
    ).rjust(width)


def _joined(values: Sequence[int], width: int) -> list[float]:
    if len(values) <= width:
        return [float(value) for value in values]
    edges = [round(part * len(values) / width) for part in range(width + 1)]
    return [sum(values[start:end]) / (end - start) for start, end in itertools.pairwise(edges)]
