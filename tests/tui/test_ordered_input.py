"""Keys typed faster than the screen draws are obeyed in their order."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.events import Key
from textual.widgets import Input

from locust_tui.widgets.ordered_input import OrderedInput
from tests.support.wait import wait_until_async
from tests.tui.rendered import DEADLINE_S


class OneLine(App[None]):
    """Nothing but a line of text."""

    def compose(self) -> ComposeResult:
        yield OrderedInput("120", select_on_focus=False)


async def test_editing_key_comes_before_what_is_typed_after_it() -> None:
    """Erase, 4, back, 5: all of them arrive before the first is carried out, as over a slow line."""
    app = OneLine()
    async with app.run_test():
        line = app.query_one(Input)
        for key, character in (("end", None), ("ctrl+u", None), ("4", "4"), ("backspace", None), ("5", "5")):
            app.post_message(Key(key, character))
        await wait_until_async(
            lambda: line.value == "5", deadline_s=DEADLINE_S, describe=lambda: f"5, not {line.value!r}"
        )
