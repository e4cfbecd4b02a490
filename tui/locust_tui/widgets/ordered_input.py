"""A line of text that obeys keys in the order in which they were typed.

Textual carries out an editing key, such as Backspace, only once the key has travelled up to the
application, while a letter is inserted at once: typed quickly, or ahead of a slow screen, the letter comes
first and Backspace removes it. Here both are carried out where they arrive. Must never take a key that
the plain input would have left to others.
"""

from __future__ import annotations

from textual.binding import Binding
from textual.events import Key
from textual.widgets import Input

_EDITING = {
    binding.key: binding.action
    for binding in Binding.make_bindings(Input.BINDINGS)
    if binding.action != "submit"  # Enter goes on to whatever the screen makes of it
}


class OrderedInput(Input):
    """An input for text that is typed ahead."""

    async def on_key(self, event: Key) -> None:
        """Carries an editing key out at once."""
        if action := _EDITING.get(event.key):
            event.stop()
            event.prevent_default()
            await self.run_action(action)
