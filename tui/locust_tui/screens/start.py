"""The form that starts a run: what the master's command line and the locustfile offer, to be changed.

An invalid field says why below itself; Start, while greyed, says why beside itself; Enter starts from
anywhere once all is well.
"""

from __future__ import annotations

import time
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Select, SelectionList, Static
from textual.widgets.selection_list import Selection

from locust_protocol.process.errors import OperatorError
from locust_protocol.v1.control_service_pb2 import GetManifestResponse
from locust_tui import formats
from locust_tui.connection import PlanChanged
from locust_tui.forms import (
    Field,
    StartFields,
    StartForm,
    host_hint,
    initial_fields,
    read_start,
    uses_users_and_rate,
)
from locust_tui.session import Session
from locust_tui.view.header import present_workers
from locust_tui.view.permissions import why_not_start
from locust_tui.widgets.form_field import FormField

NO_SHAPE = "Constant"
_FIELDS = {
    Field.USERS: "#start-users",
    Field.SPAWN_RATE: "#start-rate",
    Field.HOST: "#start-host",
    Field.RUN_TIME: "#start-time",
}


class ClassList(SelectionList[str]):
    """The user classes; space chooses, and Enter starts as everywhere in the form."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "screen.start", "Start", show=False)]


class StartScreen(ModalScreen[StartFields | None]):
    """Gives what was started with, or None when it was left."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "start", "Start"),
        Binding("escape", "leave", "Leave the form"),
        Binding("space", "none", "Choose a class", show=False),
    ]

    def __init__(self, session: Session, remembered: StartFields | None) -> None:
        super().__init__()
        self._session = session
        self._remembered = remembered
        self._filled_from: GetManifestResponse | None = None
        self._generation = session.picture.generation
        self._is_sending = False
        self._refusal = ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog form"):
            yield Static("New run", classes="title", markup=False)
            with Horizontal(classes="form-row"):
                yield FormField("Users", id="start-users", value="1")
                yield FormField("Spawn rate", id="start-rate", value="1", hint="users per second")
            yield FormField("Host", id="start-host")
            with Horizontal(classes="form-row"):
                yield FormField("Run time", id="start-time", hint="20s, 10m, 1h30m; empty: until stopped")
                yield Select[str]([], id="start-shape", allow_blank=True, compact=True, prompt="Load shape")
            yield Static("Classes", id="classes-title", markup=False)
            yield ClassList(id="start-classes", compact=True)
            with Horizontal(classes="buttons"):
                yield Static("", id="start-reason", markup=False)
                yield Button("Start", id="start", variant="success", compact=True)

    def on_mount(self) -> None:
        self.query_one("#start-users", FormField).input.focus()
        self.draw()
        self.run_worker(self._session.load_manifest())

    def draw(self) -> None:
        """Follows the session: the manifest may come, workers may join, a run may start."""
        if self._session.picture.is_moving and not self._is_sending:
            self.app.notify("a run was started meanwhile", markup=False)
            self.dismiss(None)
            return
        if self._session.manifest is not None and self._session.manifest is not self._filled_from:
            self._fill(self._session.manifest)
        self._read()

    @on(Input.Changed)
    @on(SelectionList.SelectedChanged)
    @on(Select.Changed)
    def _changed(self) -> None:
        self._refusal = ""
        self._read()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.action_start()

    @on(Button.Pressed, "#start")
    def _pressed(self) -> None:
        self.action_start()

    def action_start(self) -> None:
        form = self._read()
        if form.problems or self._reason():
            self.app.bell()
            return
        self._is_sending = True
        self._refusal = ""
        self._read()
        self.run_worker(self._send(form))

    def action_leave(self) -> None:
        self.dismiss(None)

    def action_none(self) -> None:
        """Nothing: space belongs to the list of classes."""

    async def _send(self, form: StartForm) -> None:
        try:
            await self._session.start_run(form.options, generation=self._generation)
        except PlanChanged as error:
            self._generation = self._session.picture.generation
            self._refusal = f"{error}: Enter starts all the same"
        except OperatorError as error:
            self._refusal = str(error)
        else:
            self.dismiss(self._fields())
            return
        finally:
            self._is_sending = False
        self._read()

    def _fill(self, manifest: GetManifestResponse) -> None:
        """Takes the manifest in; what a person has typed stays."""
        is_first = self._filled_from is None
        self._filled_from = manifest
        fields = (self._remembered if is_first else self._fields()) or initial_fields(manifest)
        if is_first:
            for field, value in (
                (Field.USERS, fields.users),
                (Field.SPAWN_RATE, fields.spawn_rate),
                (Field.HOST, fields.host),
                (Field.RUN_TIME, fields.run_time),
            ):
                self.query_one(_FIELDS[field], FormField).fill(value)
        self._fill_classes(manifest, fields)
        self._fill_shapes(manifest, fields)

    def _fill_classes(self, manifest: GetManifestResponse, fields: StartFields) -> None:
        classes = self.query_one(ClassList)
        classes.clear_options()
        known = {each.name for each in manifest.manifest.user_classes}
        chosen = known.intersection(fields.classes) or known
        for each in manifest.manifest.user_classes:
            share = (
                f"fixed {each.fixed_count}" if each.fixed_count else f"weight {formats.number(each.weight)}"
            )
            text = Content(formats.plain(f"{each.name:<24} {share:<12} {each.summary}"))
            classes.add_option(Selection(text, each.name, each.name in chosen))

    def _fill_shapes(self, manifest: GetManifestResponse, fields: StartFields) -> None:
        select: Select[str] = self.query_one("#start-shape", Select)
        names = [shape.name for shape in manifest.manifest.load_shapes]
        select.display = bool(names)
        if names:
            select.set_options([(NO_SHAPE, ""), *((formats.plain(name), name) for name in names)])
            select.value = fields.load_shape if fields.load_shape in names else ""

    def _fields(self) -> StartFields:
        shape = self.query_one("#start-shape", Select).value
        values = {field: self.query_one(selector, FormField).value for field, selector in _FIELDS.items()}
        return StartFields(
            users=values[Field.USERS],
            spawn_rate=values[Field.SPAWN_RATE],
            host=values[Field.HOST],
            run_time=values[Field.RUN_TIME],
            classes=tuple(self.query_one(ClassList).selected),
            load_shape=shape if isinstance(shape, str) else None,
        )

    def _read(self) -> StartForm:
        fields = self._fields()
        form = read_start(fields, manifest=self._filled_from)
        empty_host = "" if fields.host.strip() else host_hint(self._filled_from)
        self.query_one("#start-host", FormField).show_hint(empty_host)
        for field, selector in _FIELDS.items():
            self.query_one(selector, FormField).show_problem(form.problems.get(field, ""))
        is_used = uses_users_and_rate(self._filled_from, fields.load_shape)
        for field in (Field.USERS, Field.SPAWN_RATE):
            self.query_one(_FIELDS[field], FormField).input.disabled = not is_used
        title = "User classes"
        if problem := form.problems.get(Field.CLASSES, ""):
            title += f"  ✗ {problem}"
        self.query_one("#classes-title", Static).update(Content.styled(title, "$error" if problem else "dim"))
        reason = self._reason()
        self.query_one("#start", Button).disabled = bool(form.problems or reason)
        self._say(reason or self._refusal, is_bad=bool(reason or self._refusal), form=form)
        return form

    def _reason(self) -> str:
        if self._is_sending:
            return "starting…"
        session = self._session
        if reason := why_not_start(session.picture, session.link, now_s=time.monotonic()):
            return reason
        if session.manifest_problem:
            return formats.plain(session.manifest_problem)
        return "reading the locustfile…" if self._filled_from is None else ""

    def _say(self, text: str, *, is_bad: bool, form: StartForm) -> None:
        if not text and form.problems:
            field, problem = next(iter(form.problems.items()))
            text, is_bad = f"{field.value}: {problem}", True
        if not text:
            text = f"{formats.counted(present_workers(self._session.picture), 'worker')} ready · Enter starts"
        self.query_one("#start-reason", Static).update(Content.styled(text, "$warning" if is_bad else "dim"))
