"""How lists of any kind become tables that fit their width. Pure.

Columns give way by priority, those that hold texts take what is left and are cut; nothing ever scrolls
sideways.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from locust_tui import formats
from locust_tui.view.filters import RowFilter
from locust_tui.view.shapes import Column, Piece, Row, Table, Tone

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Field(Generic[Item]):
    """One column: its place, its width (0: a share of what is left), and its cell."""

    key: str
    label: str
    width: int
    cell: Callable[[Item], Piece]
    drop: int = 0
    """Columns with the highest number give way first; 0 stays."""
    is_right_aligned: bool = True
    least: int = 20
    """Cells that a column without a width has at least while another can give way; its share of the rest."""


def table(
    fields: Sequence[Field[Item]],
    items: Sequence[tuple[str, Item]],
    *,
    width: int,
    row_filter: RowFilter,
    empty: str,
) -> Table:
    """Returns `items`, each under its key, in as many columns as fit; `empty` is said when there are none."""
    laid_out = _laid_out(fields, width)
    rows = []
    for key, item in items:
        if row_filter.text and not row_filter.takes(" ".join(each.cell(item).text for each in fields)):
            continue
        rows.append(Row(key, partial(_cells, laid_out, item)))
    shown = f"nothing matches {formats.plain(row_filter.text)}" if items else empty
    return Table(tuple(column for _, column in laid_out), tuple(rows), empty=shown)


def text_piece(text: str, tone: Tone = Tone.PLAIN) -> Piece:
    """Returns a text from outside, made safe for a terminal."""
    return Piece(formats.plain(text), tone)


def _cells(laid_out: Sequence[tuple[Field[Item], Column]], item: Item) -> tuple[Piece, ...]:
    return tuple(field.cell(item) for field, _ in laid_out)


def _laid_out(fields: Sequence[Field[Item]], width: int) -> tuple[tuple[Field[Item], Column], ...]:
    kept = list(fields)
    while sum(each.width or each.least for each in kept) > width:
        droppable = max(kept, key=lambda each: each.drop)
        if droppable.drop == 0:
            break
        kept.remove(droppable)
    rest = max(0, width - sum(each.width for each in kept))
    shares = sum(each.least for each in kept if not each.width)
    last_flexible = next((each for each in reversed(kept) if not each.width), None)
    columns, given = [], 0
    for each in kept:
        size = each.width or rest * each.least // shares
        if each is last_flexible:
            size = rest - given
        elif not each.width:
            given += size
        columns.append((each, Column(each.key, each.label, max(size, 4), each.is_right_aligned)))
    return tuple(columns)
