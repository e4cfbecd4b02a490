"""Custom messages between the nodes of a test, as user code sees them.

How they travel is not known here.
"""

from __future__ import annotations

from typing import Any


class Message:
    """A message that `runner.send_message` sent and a listener receives."""

    __slots__ = ("data", "node_id", "type")

    def __init__(self, message_type: str, data: Any, node_id: str | None) -> None:
        self.type = message_type
        self.data = data
        """What was sent: None, bool, int, float, str, bytes, list or dict of these."""
        self.node_id = node_id
        """The sender's `client_id`, or `local`."""

    def __repr__(self) -> str:
        return f"<Message {self.type}:{self.node_id}>"
