"""Text from outside (request names, error texts) made fit for a terminal or a spreadsheet. Pure."""

from __future__ import annotations

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""First characters by which a spreadsheet takes a cell for a formula."""


def printable(text: str) -> str:
    """Returns one line without control characters, so that no name moves a cursor or sets a colour."""
    return "".join(
        character if character.isprintable() else " " for character in text.replace("\r\n", "\n")
    ).strip()


def cell(text: str) -> str:
    """Returns text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
