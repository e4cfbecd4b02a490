"""What `/` leaves of a list. Pure.

A text is a regular expression without case, as k9s has it; one that is no valid expression is taken as
it stands, and "!" in front turns it round.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RowFilter:
    """A filter as it was typed; the empty one takes everything."""

    text: str = ""

    def takes(self, row_text: str) -> bool:
        """Tells whether a row with this text is shown."""
        if not self.text:
            return True
        is_inverted = self.text.startswith("!")
        wanted = self.text[1:] if is_inverted else self.text
        if not wanted:
            return True
        return _is_found(wanted, row_text) is not is_inverted


def _is_found(wanted: str, row_text: str) -> bool:
    try:
        return re.search(wanted, row_text, re.IGNORECASE) is not None
    except re.error:
        return wanted.lower() in row_text.lower()
