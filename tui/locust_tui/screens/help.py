"""Help, made from the bindings themselves, so that it cannot say what is not so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

KEY_NAMES = {
    "question_mark": "?",
    "slash": "/",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "escape": "Esc",
    "enter": "Enter",
}
KEYS_CELLS = 12


class HelpScreen(ModalScreen[None]):
    """Lists keys by where they work."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,f1,enter", "leave", "Back")]

    def __init__(self, groups: Sequence[tuple[str, Iterable[BindingType]]]) -> None:
        super().__init__()
        self._groups = groups

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog large"):
            yield Static("Keys", classes="title", markup=False)
            with VerticalScroll():
                for title, bindings in self._groups:
                    yield Static(_group_content(title, bindings), classes="help-group")
            yield Static("Escape goes back", classes="muted", markup=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()

    def action_leave(self) -> None:
        self.dismiss(None)


def help_lines(bindings: Iterable[BindingType]) -> list[tuple[str, str]]:
    """Returns each binding as its keys and what they do."""
    lines = []
    for binding in bindings:
        assert isinstance(binding, Binding)
        keys = binding.key_display or " ".join(KEY_NAMES.get(key, key) for key in binding.key.split(","))
        lines.append((keys, binding.tooltip or binding.description))
    return lines


def _group_content(title: str, bindings: Iterable[BindingType]) -> Content:
    parts: list[tuple[str, str]] = [(f"{title}\n", "bold")]
    for keys, text in help_lines(bindings):
        parts += [(f"  {keys:<{KEYS_CELLS}}", "$accent"), (f"{text}\n", "")]
    return Content.assemble(*parts)
