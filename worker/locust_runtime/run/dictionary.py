"""Numbers for what samples name, so that a report says a name once and its number ever after.

Numbers count from 1 in order of first sight, up to a limit; everything over it has the number 0, "other".
Definitions wait here until the report that first uses them takes them along.

Pure: no clock, no I/O.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

OTHER = 0
"""Number of everything over the limit."""


class Dictionary(Generic[Key]):
    """Gives each key its number."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._numbers: dict[Key, int] = {}
        self._undefined: list[tuple[int, Key]] = []
        self.is_over_limit = False
        """Whether a key was refused a number."""

    def number(self, key: Key) -> int:
        """Return the key's number, `OTHER` when the dictionary is full and does not have it."""
        number = self._numbers.get(key)
        if number is not None:
            return number
        if len(self._numbers) >= self._limit:
            self.is_over_limit = True
            return OTHER
        number = len(self._numbers) + 1
        self._numbers[key] = number
        self._undefined.append((number, key))
        return number

    def take_definitions(self) -> list[tuple[int, Key]]:
        """Return (number, key) of those that were not returned before."""
        definitions, self._undefined = self._undefined, []
        return definitions
