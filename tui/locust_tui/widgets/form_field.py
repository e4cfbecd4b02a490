"""One field of a form: its label, its input, and below it what is wrong or what it means."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Label, Static

from locust_tui.widgets.ordered_input import OrderedInput


class FormField(Vertical):
    """A labelled input with a line for its problem or its hint."""

    def __init__(self, label: str, *, id: str, value: str = "", hint: str = "", secret: bool = False) -> None:
        super().__init__(id=id)
        self._label = label
        self._value = value
        self._hint = hint
        self._secret = secret

    def compose(self) -> ComposeResult:
        with Horizontal(classes="field-line"):
            yield Label(self._label, classes="field-label", markup=False)
            yield OrderedInput(self._value, compact=True, password=self._secret)
        yield Static("", classes="field-note", markup=False)

    def on_mount(self) -> None:
        self.show_problem("")

    @property
    def input(self) -> Input:
        """The input itself."""
        return self.query_one(Input)

    @property
    def value(self) -> str:
        """What stands in it."""
        return self.input.value

    def fill(self, value: str) -> None:
        """Puts a value in, unless a person was faster; the first key replaces it when the cursor is here."""
        if self.input.value != self._value:
            return
        self.input.value = value
        if self.input.has_focus:
            self.input.select_all()

    def show_problem(self, problem: str) -> None:
        """Says what is wrong; with "" the hint stands there."""
        note = Content.styled(f"✗ {problem}", "$error") if problem else Content.styled(self._hint, "dim")
        self.query_one(".field-note", Static).update(note)

    def show_hint(self, hint: str) -> None:
        """Sets what stands below while nothing is wrong; `show_problem` draws it."""
        self._hint = hint
