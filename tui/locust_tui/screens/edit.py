"""Users and spawn rate of the run that goes on: what is now, and what will be."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from locust_protocol.process.errors import OperatorError
from locust_tui import formats
from locust_tui.connection import PlanChanged
from locust_tui.forms import EditForm, Field, ramp_text, read_edit
from locust_tui.session import Session
from locust_tui.widgets.form_field import FormField


class EditScreen(ModalScreen[None]):
    """Changes users and rate; carries the generation that the person saw when it was opened."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "apply", "Apply"),
        Binding("escape", "leave", "Cancel"),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._generation = session.picture.generation
        self._is_sending = False

    def compose(self) -> ComposeResult:
        run = self._session.picture.run
        with Vertical(classes="dialog small"):
            yield Static("Edit the run", classes="title", markup=False)
            yield FormField(
                "Users",
                id="edit-users",
                value=str(run.target_users),
                hint=f"now {formats.count(run.users)} of {formats.count(run.target_users)}",
            )
            yield FormField(
                "Spawn rate",
                id="edit-rate",
                value=formats.number(run.spawn_rate),
                hint=f"users per second, now {formats.number(run.spawn_rate)}",
            )
            yield Static("", id="edit-outcome", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Apply", id="apply", variant="primary", compact=True)

    def on_mount(self) -> None:
        self.query_one("#edit-users", FormField).input.focus()
        self._read()

    def draw(self) -> None:
        """Follows the session: closes when the run is over."""
        if not self._session.picture.is_moving:
            self.app.notify("the run has ended", markup=False)
            self.dismiss(None)

    @on(Input.Changed)
    def _changed(self) -> None:
        self._read()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.action_apply()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "apply":
            self.action_apply()
        else:
            self.action_leave()

    def action_apply(self) -> None:
        form = self._read()
        if form.problems or self._is_sending:
            self.app.bell()
            return
        assert form.users is not None
        assert form.spawn_rate is not None
        self._is_sending = True
        self._say("sending…", "dim")
        self.run_worker(self._send(form.users, form.spawn_rate))

    def action_leave(self) -> None:
        self.dismiss(None)

    async def _send(self, users: int, spawn_rate: float) -> None:
        try:
            await self._session.edit_run(users=users, spawn_rate=spawn_rate, generation=self._generation)
        except PlanChanged:
            run = self._session.picture.run
            self._generation = self._session.picture.generation
            self._say(
                f"{formats.plain(run.last_actor) or 'somebody'} changed the run meanwhile to "
                f"{formats.count(run.target_users)} users at {formats.number(run.spawn_rate)}/s: "
                "Enter applies yours all the same",
                "$warning",
            )
        except OperatorError as error:
            self._say(formats.plain(str(error)), "$error")
        else:
            self.dismiss(None)
        finally:
            self._is_sending = False

    def _read(self) -> EditForm:
        users, rate = self.query_one("#edit-users", FormField), self.query_one("#edit-rate", FormField)
        form = read_edit(users=users.value, spawn_rate=rate.value)
        users.show_problem(form.problems.get(Field.USERS, ""))
        rate.show_problem(form.problems.get(Field.SPAWN_RATE, ""))
        self.query_one("#apply", Button).disabled = bool(form.problems)
        if form.users is None or form.spawn_rate is None:
            self._say("", "")
        else:
            now = self._session.picture.run.users
            self._say(ramp_text(users_now=now, users_then=form.users, spawn_rate=form.spawn_rate), "$accent")
        return form

    def _say(self, text: str, style: str) -> None:
        self.query_one("#edit-outcome", Static).update(Content.styled(text, style))
