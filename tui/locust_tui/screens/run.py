"""The run: header, tabs, footer. It draws what the session knows and turns keys into wishes."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Center, Middle
from textual.events import Key, Resize
from textual.screen import Screen
from textual.widgets import Footer, Input, Static

from locust_protocol.process.errors import OperatorError
from locust_tui import connection, formats
from locust_tui.forms import StartFields
from locust_tui.screens.dialogs import ConfirmScreen, MarkScreen, TextScreen
from locust_tui.screens.edit import EditScreen
from locust_tui.screens.help import HelpScreen
from locust_tui.screens.start import StartScreen
from locust_tui.session import Session
from locust_tui.view import permissions
from locust_tui.view.events import newest_event
from locust_tui.view.header import header, present_workers
from locust_tui.view.shapes import Piece, Tone
from locust_tui.widgets.header import HeaderBar
from locust_tui.widgets.list_pane import ListPane
from locust_tui.widgets.live_table import LiveTable
from locust_tui.widgets.run_tabs import TABS, RunTabs
from locust_tui.widgets.tones import content_of

Wish = Callable[[], Coroutine[None, None, None]]
"""What a key asks of the master."""

_RULES = {
    "edit": permissions.why_not_edit,
    "stop": permissions.why_not_stop,
    "reset": permissions.why_not_touch_run,
    "mark": permissions.why_not_touch_run,
    "shut_down": permissions.why_not_shut_down,
}
"""What has to be so for an action."""


class RunScreen(Screen[None]):
    """Shows the run of one session."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (150, "-wide")]  # noqa: RUF012 - as Textual declares it
    VERTICAL_BREAKPOINTS = [(0, "-short"), (38, "-tall")]  # noqa: RUF012

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n,s", "new_run", "New", tooltip="new run: opens the form that starts one"),
        Binding("e", "edit", "Edit", tooltip="edit users and spawn rate of the run"),
        Binding("x", "stop", "Stop", tooltip="stop the run, after a question"),
        Binding("R", "reset", "Reset", tooltip="start the statistics anew, after a question"),
        Binding("m", "mark", "Mark", tooltip="mark this moment in all charts and the report"),
        Binding("slash", "filter", "Filter", key_display="/", tooltip="filter the list that is shown"),
        Binding("o", "sort", "Sort", tooltip="sort the statistics by the next column"),
        Binding("O", "reverse", "Reverse", show=False, tooltip="turn the order round"),
        *(
            Binding(str(number), f"tab('{tab}')", title, show=False)
            for number, (tab, title) in enumerate(TABS, start=1)
        ),
        Binding("question_mark,f1", "help", "Help", key_display="?", tooltip="this help"),
        Binding("q", "leave", "Leave", tooltip="leave this screen; the run goes on"),
        Binding("Q", "shut_down", "Shut down", show=False, tooltip="end the run and the master"),
        Binding("escape", "back", "Back", show=False, tooltip="remove the filter, go back"),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._remembered: StartFields | None = None
        self._offered_epoch: int | None = None
        self._shown_epoch: int | None = None
        self._pending = ""
        self._abilities: tuple[bool | None, ...] = ()

    def compose(self) -> ComposeResult:
        yield HeaderBar()
        with Middle(id="connecting"), Center():
            yield Static("", id="connecting-text", markup=False)
        yield RunTabs()
        yield Static("", id="status", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.draw()

    def draw(self) -> None:
        """Draws the newest of everything that can be seen."""
        if not self.app.is_running:
            return
        session, now_s = self._session, time.monotonic()
        is_known = session.picture.is_known
        width = self.size.width
        self.query_one(HeaderBar).show(
            header(session.picture, session.link, now_s=now_s, news_s=session.news_s, width=width)
        )
        self.query_one("#connecting").display = not is_known
        if self._tabs.display is not is_known:
            self._tabs.display = is_known
            self._tabs.show_tab(self._tabs.tab)
        self.set_class(session.is_stale, "stale")
        self._draw_status()
        if is_known:
            self._tell_restart()
            self._tabs.draw(session.picture)
            self._offer_start()
        else:
            lines = (connection.headline(session.link, now_s), connection.remedy(session.link))
            self.query_one("#connecting-text", Static).update("\n\n".join(line for line in lines if line))
        self._refresh_keys()

    def on_resize(self, _event: Resize) -> None:
        self.call_after_refresh(self.draw)

    @on(RunTabs.TabActivated)
    def _tab_activated(self) -> None:
        self.call_after_refresh(self._tabs.redraw)
        self._refresh_keys()

    @on(ListPane.RowOpened)
    def _row_opened(self, event: ListPane.RowOpened) -> None:
        if full_text := self._tabs.full_text(event.pane, event.key):
            self.app.push_screen(TextScreen(*full_text))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Greys a key whose action is impossible now; pressing it says why."""
        if isinstance(self.focused, Input):
            return False
        return None if self.is_mounted and self._why_not(action) else True

    def on_key(self, event: Key) -> None:
        for binding in self.BINDINGS:
            if isinstance(binding, Binding) and event.key in binding.key.split(","):
                if reason := self._why_not(binding.action):
                    self.app.notify(reason, severity="warning", markup=False)
                return

    def action_new_run(self) -> None:
        def remember(fields: StartFields | None) -> None:
            self._remembered = fields or self._remembered

        self.app.push_screen(StartScreen(self._session, self._remembered), remember)

    def action_edit(self) -> None:
        self.app.push_screen(EditScreen(self._session))

    def action_stop(self) -> None:
        picture = self._session.picture
        users = formats.counted(picture.run.users, "user")
        workers = formats.counted(present_workers(picture), "worker")
        self._ask(
            f"Stop {users} on {workers}?\nThe statistics stay.",
            yes="Stop",
            pending="stopping the run…",
            wish=self._session.stop_run,
        )

    def action_reset(self) -> None:
        count = formats.count(self._session.picture.total.requests)
        self._ask(
            f"Start the statistics anew?\nThe {count} requests so far leave the tables; users go on.",
            yes="Reset",
            pending="resetting the statistics…",
            wish=self._session.reset_statistics,
        )

    def action_shut_down(self) -> None:
        users = formats.counted(self._session.picture.run.users, "user")
        self._ask(
            f"Shut down the master at {self._session.target}?\n"
            f"Its run ends ({users}), and its workers with it unless they were told to stay.",
            yes="Shut down",
            pending="shutting the master down…",
            wish=self._session.shut_down,
        )

    def action_mark(self) -> None:
        def mark(text: str | None) -> None:
            if text:
                self._wish("setting the mark…", lambda: self._session.mark_run(text))

        self.app.push_screen(MarkScreen(), mark)

    def action_filter(self) -> None:
        if pane := self._tabs.list_pane():
            pane.open_filter()

    def action_sort(self) -> None:
        self._tabs.statistics().next_sort()

    def action_reverse(self) -> None:
        self._tabs.statistics().reverse_sort()

    def action_tab(self, tab: str) -> None:
        self._tabs.show_tab(tab)

    def action_back(self) -> None:
        if pane := self._tabs.list_pane():
            pane.clear_filter()

    def action_help(self) -> None:
        groups = (
            ("The run", self.BINDINGS),
            ("Lists", [*LiveTable.BINDINGS, Binding("enter", "", "open the whole of a row")]),
            ("New run", StartScreen.BINDINGS),
            ("Everywhere", self.app.BINDINGS),
        )
        self.app.push_screen(HelpScreen(groups))

    def action_leave(self) -> None:
        self.app.exit()

    @property
    def _tabs(self) -> RunTabs:
        return self.query_one(RunTabs)

    def _why_not(self, action: str) -> str:
        """Why an action is impossible now, "" when it is not."""
        if action in ("sort", "reverse"):
            return "" if self._tabs.tab == "stats" else "only the statistics are sorted: press 1"
        if action == "filter":
            return "" if self._tabs.tab != "charts" else "charts have no list to filter"
        rule = _RULES.get(action)
        session = self._session
        return rule(session.picture, session.link, now_s=time.monotonic()) if rule else ""

    def _refresh_keys(self) -> None:
        """Draws the footer anew when what can be done has changed."""
        abilities = tuple(bool(self._why_not(action)) for action in (*_RULES, "sort", "filter"))
        if abilities != self._abilities:
            self._abilities = abilities
            self.refresh_bindings()

    def _tell_restart(self) -> None:
        """Says so when another life of the master has taken the place of the one that was shown."""
        epoch = self._session.picture.master_epoch
        if self._shown_epoch not in (None, epoch):
            self.app.notify("the master was started again", severity="warning", markup=False)
        self._shown_epoch = epoch

    def _offer_start(self) -> None:
        """Opens the start form, once in each life of a master, where nothing has been run yet."""
        picture = self._session.picture
        if picture.has_run or picture.master_epoch == self._offered_epoch or self.app.screen is not self:
            return
        self._offered_epoch = picture.master_epoch
        self.action_new_run()

    def _draw_status(self) -> None:
        newest = newest_event(self._session.picture)
        piece = Piece(self._pending, Tone.ACCENT) if self._pending else newest or Piece("")
        text = formats.cut(piece.text, self.size.width - 2)
        self.query_one("#status", Static).update(content_of((Piece(text, piece.tone),)))

    def _ask(self, question: str, *, yes: str, pending: str, wish: Wish) -> None:
        def answered(is_yes: bool | None) -> None:
            if is_yes:
                self._wish(pending, wish)

        self.app.push_screen(ConfirmScreen(question, yes=yes), answered)

    def _wish(self, pending: str, wish: Wish) -> None:
        """Shows a wish at once, until the master has answered; a refusal is told with its reason."""
        self._pending = pending
        self._draw_status()
        self.run_worker(self._carry_out(wish))

    async def _carry_out(self, wish: Wish) -> None:
        try:
            await wish()
        except OperatorError as error:
            self.app.notify(formats.plain(str(error)), severity="error", markup=False)
        finally:
            self._pending = ""
            self.draw()
