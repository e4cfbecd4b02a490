"""A table with what belongs to it: the filter line, the pinned row, and a sentence when it is empty.

Learned once, the same everywhere: `/` filters, Enter on the filter goes back to the rows, Escape removes
the filter, Enter on a row opens the whole of it.
"""

from __future__ import annotations

from collections.abc import Callable

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.events import Key, Resize
from textual.message import Message
from textual.widgets import DataTable, Input, Static

from locust_tui.model import Picture
from locust_tui.view.filters import RowFilter
from locust_tui.view.shapes import Table
from locust_tui.widgets.live_table import LiveTable
from locust_tui.widgets.ordered_input import OrderedInput
from locust_tui.widgets.tones import line_of

TableOf = Callable[[Picture, int, RowFilter], Table]


class ListPane(Vertical):
    """Shows one list of the picture."""

    class RowOpened(Message):
        """Enter was pressed on a row."""

        def __init__(self, pane: ListPane, key: str) -> None:
            self.pane = pane
            self.key = key
            super().__init__()

    def __init__(self, build: TableOf, *, title: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self._build = build
        self._title = title
        self._picture = Picture()
        self._filter = RowFilter()

    def compose(self) -> ComposeResult:
        if self._title:
            yield Static(self._title, classes="pane-title", markup=False)
        yield LiveTable()
        yield Static("", classes="empty", markup=False)
        yield Static("", classes="pinned", markup=False)
        yield OrderedInput(
            placeholder="text or regular expression, ! in front inverts", classes="filter", compact=True
        )

    def on_mount(self) -> None:
        self.query_one(".filter").display = False

    @property
    def table(self) -> LiveTable:
        """The table itself."""
        return self.query_one(LiveTable)

    def draw(self, picture: Picture) -> None:
        """Shows `picture`, when anybody can see it."""
        self._picture = picture
        if self.is_mounted and self.size.width:
            self._draw()

    def open_filter(self) -> None:
        """Shows the filter line and goes to it."""
        line = self.query_one(".filter", Input)
        line.display = True
        line.focus()

    def clear_filter(self) -> bool:
        """Removes the filter; returns whether there was one."""
        line = self.query_one(".filter", Input)
        if not line.display:
            return False
        had_focus = line.has_focus
        line.value = ""
        line.display = False
        self._filter = RowFilter()
        self._draw()
        if had_focus:
            self.table.focus()
        return True

    def table_for(self, picture: Picture, width: int, row_filter: RowFilter) -> Table:
        """Returns what to show in `width` cells."""
        return self._build(picture, width, row_filter)

    def _draw(self) -> None:
        width = self.table_width()
        if width <= 0:
            return
        table = self.table_for(self._picture, width, self._filter)
        self.table.show(table)
        empty = self.query_one(".empty", Static)
        empty.display = not table.rows
        if not table.rows:
            empty.update(table.empty)
        pinned = self.query_one(".pinned", Static)
        pinned.display = table.pinned is not None
        if table.pinned is not None:
            pinned.update(line_of(table.pinned, table.columns))

    def table_width(self) -> int:
        """Cells that rows can fill: all but the scroll bar."""
        return self.size.width - 1

    def on_resize(self, _event: Resize) -> None:
        self._draw()

    @on(Input.Changed, ".filter")
    def _filter_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._filter = RowFilter(event.value.strip())
        self._draw()

    @on(Input.Submitted, ".filter")
    def _filter_done(self, event: Input.Submitted) -> None:
        event.stop()
        if not event.value.strip():
            self.clear_filter()
        self.table.focus()

    def on_key(self, event: Key) -> None:
        if event.key == "escape" and self.clear_filter():
            event.stop()
        elif event.key == "down" and self.query_one(".filter").has_focus:
            self.table.focus()
            event.stop()

    @on(DataTable.RowSelected)
    def _row_selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        if event.row_key.value is not None:
            self.post_message(self.RowOpened(self, event.row_key.value))
