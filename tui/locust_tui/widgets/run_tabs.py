"""The tabs of a run and what is in them.

Only the tab that is seen is drawn, and a tab is filled when it is seen first: the first numbers stand on
the screen in half the time.
"""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import TabbedContent, TabPane

from locust_tui.model import Picture
from locust_tui.view.events import event_text, events
from locust_tui.view.filters import RowFilter
from locust_tui.view.problems import exception_text, exceptions, failure_text, failures
from locust_tui.view.shapes import Table
from locust_tui.view.workers import worker_text, workers
from locust_tui.widgets.charts import ChartColumn
from locust_tui.widgets.list_pane import ListPane, TableOf
from locust_tui.widgets.statistics import StatisticsPane

TABS = (
    ("stats", "Stats"),
    ("charts", "Charts"),
    ("failures", "Failures"),
    ("exceptions", "Exceptions"),
    ("workers", "Workers"),
    ("events", "Events"),
)
"""Tabs in the order of their number keys."""

UNREAD = "•"

_FULL_TEXTS = {
    "failures": ("Failure", failure_text),
    "exceptions": ("Exception", exception_text),
    "workers": ("Worker", worker_text),
    "events": ("Event", event_text),
}


def _failures(picture: Picture, width: int, row_filter: RowFilter) -> Table:
    return failures(picture, width=width, row_filter=row_filter)


def _exceptions(picture: Picture, width: int, row_filter: RowFilter) -> Table:
    return exceptions(picture, width=width, row_filter=row_filter)


def _workers(picture: Picture, width: int, row_filter: RowFilter) -> Table:
    return workers(picture, width=width, row_filter=row_filter)


def _events(picture: Picture, width: int, row_filter: RowFilter) -> Table:
    return events(picture, width=width, row_filter=row_filter)


_LISTS: dict[str, TableOf] = {
    "failures": _failures,
    "exceptions": _exceptions,
    "workers": _workers,
    "events": _events,
}


class RunTabs(TabbedContent):
    """Shows a picture in six tabs; on a large terminal the first one is an overview of them."""

    def __init__(self) -> None:
        super().__init__(id="tabs")
        self._picture = Picture()
        self._seen: dict[str, int] = {}

    def compose(self) -> ComposeResult:
        for number, (tab, title) in enumerate(TABS, start=1):
            self.compose_add_child(TabPane(f"{number} {title}", id=f"tab-{tab}"))
        yield from super().compose()

    @property
    def tab(self) -> str:
        """Name of the tab that is seen."""
        return self.active.removeprefix("tab-") or TABS[0][0]

    def show_tab(self, tab: str) -> None:
        """Goes to a tab and to the list in it."""
        self.active = f"tab-{tab}"
        self._fill(tab)
        self.call_after_refresh(self.focus_list)

    def focus_list(self) -> None:
        """Gives the keys to the list of the tab."""
        if pane := self.list_pane():
            pane.table.focus()

    def list_pane(self) -> ListPane | None:
        """The list that keys speak to; None where there is none."""
        found = self.get_pane(f"tab-{self.tab}").query(ListPane)
        return found.first() if found else None

    def statistics(self) -> StatisticsPane:
        """The statistics, whichever tab is seen."""
        return self.query_one(StatisticsPane)

    def draw(self, picture: Picture) -> None:
        """Shows `picture`."""
        self._picture = picture
        pane = self._fill(self.tab)
        for shown in pane.query(ListPane):
            shown.draw(picture)
        for charts in pane.query(ChartColumn):
            charts.draw(picture)
        self._draw_labels()

    def redraw(self) -> None:
        """Shows the same picture in the tab that has just come into sight."""
        if self.app.is_running:
            self.draw(self._picture)

    def full_text(self, pane: ListPane, key: str) -> tuple[str, str] | None:
        """Returns title and text of a row in full."""
        title, text_of = _FULL_TEXTS.get((pane.id or "").removeprefix("overview-"), ("", None))
        text = text_of(self._picture, key) if text_of else ""
        return (title, text) if text else None

    def _fill(self, tab: str) -> TabPane:
        """Returns the pane of a tab with its content; the overview gets what the screen has room for."""
        pane = self.get_pane(f"tab-{tab}")
        if tab == "stats":
            self._fill_overview(pane)
        elif not pane.children:
            pane.mount(ChartColumn() if tab == "charts" else ListPane(_LISTS[tab], id=tab))
        return pane

    def _fill_overview(self, pane: TabPane) -> None:
        if not pane.children:
            pane.mount(Vertical(Horizontal(StatisticsPane(id="statistics"), id="upper"), id="overview"))
        if self.screen.has_class("-wide") and not pane.query(".side"):
            for upper in pane.query("#upper"):
                upper.mount(ChartColumn(classes="side"))
        if self.screen.has_class("-wide") and self.screen.has_class("-tall") and not pane.query("#lower"):
            for overview in pane.query("#overview"):
                overview.mount(
                    Horizontal(
                        ListPane(_workers, title="Workers", id="overview-workers"),
                        ListPane(_events, title="Events", id="overview-events"),
                        id="lower",
                    )
                )

    def _draw_labels(self) -> None:
        """Marks tabs in which something has come since they were looked at."""
        counts = {
            "failures": len(self._picture.errors),
            "exceptions": len(self._picture.exceptions),
            "events": max(self._picture.events, default=0) if self._picture.events else 0,
        }
        for number, (tab, title) in enumerate(TABS, start=1):
            if tab not in counts:
                continue
            if tab == self.tab or counts[tab] < self._seen.get(tab, 0):
                self._seen[tab] = counts[tab]
            is_unread = tab != "events" and counts[tab] > self._seen.get(tab, 0)
            label = f"{number} {title}{UNREAD if is_unread else ''}"
            if str(self.get_tab(f"tab-{tab}").label) != label:
                self.get_tab(f"tab-{tab}").label = label
