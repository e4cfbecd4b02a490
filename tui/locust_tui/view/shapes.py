"""The shapes that views are made of: toned text, lines, tables, charts. Data only.

A tone says what a text means (good, bad, muted), never which colour it has; widgets know the colours.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass


class Tone(enum.Enum):
    """What a text means to its reader."""

    PLAIN = enum.auto()
    MUTED = enum.auto()
    STRONG = enum.auto()
    ACCENT = enum.auto()
    GOOD = enum.auto()
    WARN = enum.auto()
    BAD = enum.auto()
    READY_STATE = enum.auto()
    SPAWNING_STATE = enum.auto()
    RUNNING_STATE = enum.auto()
    STOPPING_STATE = enum.auto()
    STOPPED_STATE = enum.auto()
    TROUBLE_STATE = enum.auto()


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text in one tone; the text is safe for a terminal."""

    text: str
    tone: Tone = Tone.PLAIN


Line = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column with a fixed width in cells, so that nothing moves when digits change."""

    key: str
    label: str
    width: int
    is_right_aligned: bool = True


class Row:
    """A row under a key that stays the same while the thing it shows does.

    Its cells are made when they are looked at first: of thousands of rows a screen shows forty.
    """

    __slots__ = ("_cells", "_make", "key")

    def __init__(self, key: str, make: Callable[[], tuple[Piece, ...]]) -> None:
        self.key = key
        self._make = make
        self._cells: tuple[Piece, ...] | None = None

    @property
    def cells(self) -> tuple[Piece, ...]:
        """One piece for each column of the table."""
        if self._cells is None:
            self._cells = self._make()
        return self._cells


@dataclass(frozen=True, slots=True)
class Table:
    """What a table shows; `pinned` stands below the rows and never scrolls; `empty` when there are none."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    pinned: Row | None = None
    empty: str = ""


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve of a chart: its points by second of the run."""

    label: str
    tone: Tone
    seconds: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart; `marks` are seconds at which something happened."""

    title: str
    curves: tuple[Curve, ...]
    marks: tuple[float, ...] = ()


def text_of(line: Line) -> str:
    """Returns the bare text of a line."""
    return "".join(piece.text for piece in line)
