"""The application: one session, one run screen, dialogs above it. It holds no decisions of its own."""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen

from locust_protocol.security.access_terms import AccessTerms
from locust_protocol.security.roles import AccessRole
from locust_tui.screens.run import RunScreen
from locust_tui.session import Session
from locust_tui.widgets.tones import THEME

TICK_S = 1.0
"""Seconds between two looks at the clock while nothing comes from the master."""


@runtime_checkable
class _Drawn(Protocol):
    def draw(self) -> None: ...


ALL_BY_DEFAULT = AccessTerms(AccessRole.CONTROL)
"""A client that was told nothing looks for what its user has on this machine, and may control."""


class LocustTui(App[None]):
    """Watches and controls the master at `target` ("host:port"), where it gets in by `terms`."""

    TITLE = "locust"
    CSS_PATH = "theme.tcss"
    ENABLE_COMMAND_PALETTE = True

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c,ctrl+q", "leave", "Leave", show=False, priority=True, tooltip="leave this screen"),
        Binding("ctrl+p", "command_palette", "Palette", show=False, tooltip="themes, screenshot, keys"),
        # With priority, or keys that were typed right behind it would still reach the field before.
        Binding("tab", "app.focus_next", "Next", show=False, priority=True, tooltip="next part or field"),
        Binding(
            "shift+tab", "app.focus_previous", "Back", show=False, priority=True, tooltip="the one before"
        ),
    ]

    def __init__(self, target: str, terms: AccessTerms = ALL_BY_DEFAULT) -> None:
        super().__init__()
        self.session = Session(target, terms, on_change=self._note_change)
        self._is_draw_due = False
        self.register_theme(THEME)
        self.theme = THEME.name

    def get_default_screen(self) -> Screen[None]:
        """Returns the screen that is never left."""
        return RunScreen(self.session)

    def on_mount(self) -> None:
        self.call_after_refresh(self._follow)
        self.set_interval(TICK_S, self._tick)

    def action_leave(self) -> None:
        """Leaves the screen; the run is the master's and goes on."""
        self.exit()

    def _follow(self) -> None:
        self.run_worker(self.session.run(), name="follow the master")

    def _note_change(self) -> None:
        """Draws once for all changes that come before the next refresh."""
        if not self._is_draw_due and self.is_running:
            self._is_draw_due = True
            self.call_later(self._draw)

    def _draw(self) -> None:
        self._is_draw_due = False
        if not self.is_running:  # it is being taken down, part by part
            return
        for screen in self.screen_stack:
            if isinstance(screen, _Drawn) and screen.is_mounted:
                screen.draw()

    def _tick(self) -> None:
        if self.session.is_stale or not self.session.picture.is_known:
            self._draw()
