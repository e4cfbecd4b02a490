"""The two lines that are always in sight, and the banner below them in trouble."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from locust_tui.view.header import Header
from locust_tui.widgets.tones import content_of


class HeaderBar(Vertical):
    """Shows a `Header`."""

    def compose(self) -> ComposeResult:
        yield Static("", id="header-first", markup=False)
        yield Static("", id="header-second", markup=False)
        yield Static("", id="header-banner", markup=False)

    def on_mount(self) -> None:
        self.query_one("#header-banner").display = False

    def show(self, header: Header) -> None:
        """Shows `header`."""
        self.query_one("#header-first", Static).update(content_of(header.first))
        self.query_one("#header-second", Static).update(content_of(header.second))
        banner = self.query_one("#header-banner", Static)
        banner.display = bool(header.banner)
        banner.update(content_of(header.banner))
