"""Text from targets and locustfiles, made safe to print and to open. Pure.

Names and messages come from outside: an escape sequence in a URL must not move the cursor of a terminal, and
a name that begins like a formula must not run in a spreadsheet.
"""

from __future__ import annotations

import unicodedata

_UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode categories that steer instead of showing: controls, formats (bidirectional too), surrogates."""

_FORMULA_STARTS = ("=", "+", "-", "@")


def plain(text: str) -> str:
    """Returns the text on one line, without anything that steers a terminal."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(" " if char in "\r\n\t" else char for char in text if char in "\r\n\t" or _is_safe(char))


def plain_lines(text: str) -> str:
    """As `plain`, line breaks kept."""
    return "\n".join(plain(line) for line in text.split("\n"))


def spreadsheet_cell(text: str) -> str:
    """Returns the text as a cell that no spreadsheet takes for a formula; line breaks stay."""
    safe = plain_lines(text)
    return f"'{safe}" if safe.lstrip().startswith(_FORMULA_STARTS) else safe


def _is_safe(char: str) -> bool:
    return unicodedata.category(char) not in _UNSAFE
