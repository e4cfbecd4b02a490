"""From the text of a flag to its value: each function here raises `ArgumentTypeError` with what is wrong.

argparse puts the flag's name in front, so that a message is one line such as
"argument -u/--users: 'many' is not a whole number".
"""

from __future__ import annotations

import math
from argparse import ArgumentTypeError
from collections.abc import Callable

from locust_protocol.process.timespan import parse_timespan

MAX_PORT = 65_535
"""The highest TCP port."""


def whole_number(text: str) -> int:
    """Any integer."""
    try:
        return int(text)
    except ValueError:
        raise ArgumentTypeError(f"'{text}' is not a whole number") from None


def whole_number_between(low: int, high: int | None = None) -> Callable[[str], int]:
    """Return a parser for integers from `low` to `high`, both included; no upper bound with None."""

    def parse(text: str) -> int:
        number = whole_number(text)
        if number < low:
            raise ArgumentTypeError(f"{number} is below {low}")
        if high is not None and number > high:
            raise ArgumentTypeError(f"{number} is above {high}")
        return number

    return parse


def number_above_zero(text: str) -> float:
    """A finite number above zero."""
    try:
        number = float(text)
    except ValueError:
        raise ArgumentTypeError(f"'{text}' is not a number") from None
    if not math.isfinite(number) or number <= 0:
        raise ArgumentTypeError(f"{text} is not a finite number above 0")
    return number


def timespan(text: str) -> float:
    """A time span in seconds; see `parse_timespan`."""
    try:
        return parse_timespan(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def timespan_of_at_least(low_s: float) -> Callable[[str], float]:
    """Return a parser for time spans of `low_s` seconds or more."""

    def parse(text: str) -> float:
        seconds = timespan(text)
        if seconds < low_s:
            raise ArgumentTypeError(f"{text} is below {low_s:g} s")
        return seconds

    return parse


def stages(text: str) -> tuple[tuple[float, int], ...]:
    """Stages as (seconds, users), from a text like "60s:100,5m:100,30s:0"."""
    return tuple(_stage(part.strip()) for part in text.split(","))


def _stage(text: str) -> tuple[float, int]:
    duration, colon, users = text.rpartition(":")
    if not colon:
        raise ArgumentTypeError(f"stage '{text}' is not TIME:USERS, such as 60s:100")
    try:
        return timespan(duration), whole_number_between(0)(users)
    except ArgumentTypeError as error:
        raise ArgumentTypeError(f"stage '{text}' is not TIME:USERS, such as 60s:100: {error}") from None


def process_count(text: str) -> int:
    """-1 for one process per usable core, or a number from 1."""
    number = whole_number(text)
    if number != -1 and number < 1:
        raise ArgumentTypeError(f"{number} is neither -1 (one per usable core) nor at least 1")
    return number


def upper_case(text: str) -> str:
    """The text in capitals, for choices that may be written either way."""
    return text.upper()


listening_port = whole_number_between(0, MAX_PORT)
"""A TCP port to listen on; 0 lets the system choose one."""

remote_port = whole_number_between(1, MAX_PORT)
"""A TCP port to connect to."""
