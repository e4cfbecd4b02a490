"""Join tokens that were entered once, by the master that they are for, so that they need not be again.

A JSON file of the user's: {"10.0.0.5:5557": {"worker": "lg1.….…"}}. What is no token in it is passed over:
the file is a convenience, and a damaged one must not keep anybody from joining with a token of today.
"""

from __future__ import annotations

import json
from pathlib import Path

from locust_protocol.process.errors import UsageError
from locust_protocol.security.join_token import JoinToken, NoToken, read_token
from locust_protocol.security.private_files import make_private_folder, read_private, write_private
from locust_protocol.security.roles import AccessRole

FILE_NAME = "known-masters.json"


class KnownMasters:
    """What is remembered in the security folder of a user."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME

    def find(self, target: str, role: AccessRole) -> JoinToken | None:
        """Returns the token for a master ("host:port"), None when none is known."""
        text = self._read().get(target, {}).get(role.value)
        if text is None:
            return None
        try:
            return read_token(text, source=str(self.path))
        except NoToken:
            return None

    def remember(self, target: str, role: AccessRole, token: JoinToken) -> None:
        """Keeps a token for a master. Raises `UsageError` when it cannot be written."""
        known = self._read()
        known.setdefault(target, {})[role.value] = token.text
        make_private_folder(self.path.parent)
        write_private(self.path, json.dumps(known, indent=2) + "\n")

    def forget(self, target: str, role: AccessRole) -> None:
        """Forgets the token for a master, which no longer takes it. Raises `UsageError`."""
        known = self._read()
        if known.get(target, {}).pop(role.value, None) is not None:
            write_private(self.path, json.dumps(known, indent=2) + "\n")

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            found = json.loads(read_private(self.path) or "{}")
        except (json.JSONDecodeError, UsageError):
            return {}
        if not isinstance(found, dict):
            return {}
        return {
            target: {role: text for role, text in tokens.items() if isinstance(text, str)}
            for target, tokens in found.items()
            if isinstance(tokens, dict)
        }
