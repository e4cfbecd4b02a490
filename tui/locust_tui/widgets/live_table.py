"""A DataTable that takes a new `Table` every second and disturbs nobody who reads it.

Cells are drawn from the newest `Table` when they come into sight, so that thousands of rows cost no more than
those that are seen. Once a person has moved the cursor, it stays on the same row, and that row
on the same line of the screen, while rows are re-sorted around it; `home` lets go of it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

from locust_tui.view.shapes import Row, Table
from locust_tui.widgets.tones import cell_of, label_of

REBUILD_AFTER = 25
"""Rows that may go one by one; each costs a walk over all."""

HOLD_ORDER_S = 2.0
"""Seconds after a movement of the cursor in which rows keep their places."""


class _LiveCell:
    """A place in the table, which looks up what stands there each time it is drawn."""

    __slots__ = ("_place", "_table", "row_key")

    def __init__(self, table: LiveTable, row_key: str, place: int) -> None:
        self._table = table
        self.row_key = row_key
        self._place = place

    def __rich_console__(self, _console: Console, _options: ConsoleOptions) -> RenderResult:
        yield self._table.text_at(self.row_key, self._place)

    def __rich_measure__(self, _console: Console, _options: ConsoleOptions) -> Measurement:
        return Measurement(1, 1)  # columns have widths of their own


class LiveTable(DataTable[_LiveCell]):
    """Shows a `Table`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", "Down", show=False),
        Binding("k", "cursor_up", "Up", show=False),
        Binding("g", "scroll_top", "Top", show=False),
        Binding("G", "scroll_bottom", "Bottom", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, cursor_type="row", cell_padding=0, cursor_foreground_priority="renderable")
        self._shown = Table((), ())
        self._rows_by_key: dict[str, Row] = {}
        self._is_anchored = False
        self._moved_s = -HOLD_ORDER_S

    @property
    def held_order(self) -> tuple[str, ...]:
        """The order to keep, or nothing when the cursor has been at rest for a while."""
        if time.monotonic() - self._moved_s >= HOLD_ORDER_S:
            return ()
        return tuple(row.key for row in self._shown.rows)

    @property
    def selected_key(self) -> str | None:
        """Key of the row under the cursor."""
        rows = self._shown.rows
        return rows[self.cursor_row].key if 0 <= self.cursor_row < len(rows) else None

    def show(self, table: Table) -> None:
        """Shows `table` in place of what is shown."""
        anchor, anchor_row, scroll_y = self._anchor(), self.cursor_row, self.scroll_y
        keys = {row.key for row in table.rows}
        gone = [key for key in self._rows_by_key if key not in keys]
        must_rebuild = table.columns != self._shown.columns or len(gone) > REBUILD_AFTER
        before, known = self._shown, self._rows_by_key
        self._shown, self._rows_by_key = table, {row.key: row for row in table.rows}
        if must_rebuild:
            self._build(table)
        else:
            for key in gone:
                self.remove_row(key)
            self._update(table, before, known)
        self._restore(anchor, anchor_row, scroll_y, is_rebuilt=must_rebuild)

    def release_order(self) -> None:
        """Lets rows move at once, as when a person has asked for another order."""
        self._moved_s = -HOLD_ORDER_S

    def text_at(self, row_key: str, place: int) -> Text:
        """Returns what stands in a cell now."""
        row = self._rows_by_key.get(row_key)
        if row is None:
            return Text("")
        return cell_of(row.cells[place], self._shown.columns[place], self.app.theme_variables)

    def action_cursor_down(self) -> None:
        self._note_movement()
        super().action_cursor_down()

    def action_cursor_up(self) -> None:
        self._note_movement()
        super().action_cursor_up()

    def action_page_down(self) -> None:
        self._note_movement()
        super().action_page_down()

    def action_page_up(self) -> None:
        self._note_movement()
        super().action_page_up()

    def action_scroll_bottom(self) -> None:
        self._note_movement()
        super().action_scroll_bottom()

    def action_scroll_top(self) -> None:
        self._is_anchored = False
        super().action_scroll_top()

    def on_click(self, _event: events.Click) -> None:
        self._note_movement()

    def _note_movement(self) -> None:
        self._is_anchored = True
        self._moved_s = time.monotonic()

    def _anchor(self) -> str | None:
        return self.selected_key if self._is_anchored else None

    def _build(self, table: Table) -> None:
        self.clear(columns=True)
        for column in table.columns:
            self.add_column(label_of(column), width=column.width, key=column.key)
        for row in table.rows:
            self.add_row(*self._cells(row.key), key=row.key)

    def _update(self, table: Table, before: Table, known: Mapping[str, Row]) -> None:
        for row in table.rows:
            if row.key not in known:
                self.add_row(*self._cells(row.key), key=row.key)
        if not table.rows:
            return
        if [row.key for row in before.rows] != [row.key for row in table.rows]:
            places = {row.key: place for place, row in enumerate(table.rows)}
            self.sort(table.columns[0].key, key=lambda cell: places[cell.row_key])
        else:
            first = table.rows[0].key
            self.update_cell(first, table.columns[0].key, self._cells(first)[0])  # makes all be drawn anew

    def _cells(self, row_key: str) -> list[_LiveCell]:
        return [_LiveCell(self, row_key, place) for place in range(len(self._shown.columns))]

    def _restore(self, anchor: str | None, anchor_row: int, scroll_y: float, *, is_rebuilt: bool) -> None:
        keys = [row.key for row in self._shown.rows]
        if anchor is None or anchor not in keys:
            if not self._is_anchored and self.cursor_row != 0:
                self.move_cursor(row=0)
            if is_rebuilt:
                self.call_after_refresh(self.scroll_to, y=scroll_y, animate=False)
            return
        row = keys.index(anchor)
        if row == anchor_row and not is_rebuilt:
            return
        self.move_cursor(row=row, scroll=False)
        self.call_after_refresh(self.scroll_to, y=scroll_y + row - anchor_row, animate=False)
