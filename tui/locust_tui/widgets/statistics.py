"""The statistics table: a list that can be sorted, by key or by a click on a heading."""

from __future__ import annotations

from textual import on
from textual.widgets import DataTable

from locust_tui.model import Picture
from locust_tui.view import statistics
from locust_tui.view.filters import RowFilter
from locust_tui.view.shapes import Table
from locust_tui.view.statistics import Sort
from locust_tui.widgets.list_pane import ListPane


class StatisticsPane(ListPane):
    """Shows the statistics; `Aggregated` is pinned."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(self._statistics, id=id)
        self._sort = Sort()

    def next_sort(self) -> None:
        """Sorts by the next column, the first one after the last."""
        keys = statistics.sortable(self.table_width())
        place = keys.index(self._sort.column) if self._sort.column in keys else -1
        self._sort_by(statistics.first_direction(keys[(place + 1) % len(keys)]))

    def reverse_sort(self) -> None:
        """Turns the order round."""
        self._sort_by(Sort(self._sort.column, not self._sort.is_descending))

    def _sort_by(self, sort: Sort) -> None:
        self._sort = sort
        self.table.release_order()
        self._draw()

    def _statistics(self, picture: Picture, width: int, row_filter: RowFilter) -> Table:
        return statistics.statistics(
            picture, width=width, sort=self._sort, row_filter=row_filter, held_order=self.table.held_order
        )

    @on(DataTable.HeaderSelected)
    def _heading_clicked(self, event: DataTable.HeaderSelected) -> None:
        event.stop()
        key = event.column_key.value
        if key is None or key not in statistics.sortable(self.table_width()):
            return
        first = statistics.first_direction(key)
        if self._sort == first:
            self._sort_by(Sort(key, not first.is_descending))
        elif self._sort.column == key:
            self._sort_by(Sort())
        else:
            self._sort_by(first)
