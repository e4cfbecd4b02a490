"""The only place that knows which colour a tone has.

Colours come from the theme, so another theme changes all of them. Colour is never the only sign: states
and warnings are words, and NO_COLOR leaves them readable.
"""

from __future__ import annotations

from collections.abc import Mapping

from rich.style import Style
from rich.text import Text
from textual.content import Content
from textual.theme import Theme

from locust_tui import formats
from locust_tui.view.shapes import Column, Line, Piece, Row, Tone

THEME = Theme(
    name="locust",
    primary="#4fb3a5",
    secondary="#7aa2f7",
    accent="#4fb3a5",
    success="#7fb069",
    warning="#e0af50",
    error="#e5707a",
    foreground="#d5dae1",
    background="#12161b",
    surface="#161b21",
    panel="#212830",
    dark=True,
    variables={"footer-key-foreground": "#4fb3a5", "block-cursor-text-style": "none"},
)

_CONTENT: Mapping[Tone, str] = {
    Tone.PLAIN: "",
    Tone.MUTED: "dim",
    Tone.STRONG: "bold",
    Tone.ACCENT: "$accent",
    Tone.GOOD: "$success",
    Tone.WARN: "$warning",
    Tone.BAD: "bold $error",
    Tone.READY_STATE: "bold $foreground on $panel-lighten-2",
    Tone.SPAWNING_STATE: "bold $background on $accent",
    Tone.RUNNING_STATE: "bold $background on $success",
    Tone.STOPPING_STATE: "bold $background on $warning",
    Tone.STOPPED_STATE: "bold $background on $secondary",
    Tone.TROUBLE_STATE: "bold $background on $error",
}

_VARIABLE: Mapping[Tone, str] = {
    Tone.ACCENT: "accent",
    Tone.GOOD: "success",
    Tone.WARN: "warning",
    Tone.BAD: "error",
}


def content_of(line: Line) -> Content:
    """Returns a line for a Static."""
    return Content.assemble(*((piece.text, _CONTENT[piece.tone]) for piece in line))


def cell_of(piece: Piece, column: Column, colours: Mapping[str, str]) -> Text:
    """Returns a table's cell; `colours` are the variables of the theme."""
    return Text(
        _fitted(piece.text, column),
        style=_cell_style(piece.tone, colours),
        no_wrap=True,
        end="",
        overflow="crop",
    )


def label_of(column: Column) -> Text:
    """Returns a column's heading."""
    return Text(_fitted(column.label, column), no_wrap=True, end="", overflow="crop")


def line_of(row: Row, columns: tuple[Column, ...]) -> Content:
    """Returns a row as one line that stands in the columns of its table."""
    return content_of(
        tuple(
            Piece(_fitted(piece.text, column), piece.tone)
            for piece, column in zip(row.cells, columns, strict=True)
        )
    )


def colour_of(tone: Tone, colours: Mapping[str, str]) -> str:
    """Returns the colour of a curve as "#rrggbb"."""
    return colours[_VARIABLE.get(tone, "foreground")]


def _cell_style(tone: Tone, colours: Mapping[str, str]) -> Style:
    if tone is Tone.MUTED:
        return Style(dim=True)
    if tone is Tone.STRONG:
        return Style(bold=True)
    variable = _VARIABLE.get(tone)
    return Style(color=colours[variable]) if variable else Style()


def _fitted(text: str, column: Column) -> str:
    """Text in the column's cells, one of which is a gap to its neighbour."""
    if column.is_right_aligned:
        return formats.fit(text, column.width, right=True)
    return formats.fit(text, column.width - 1) + " "
