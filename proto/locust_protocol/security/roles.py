"""The roles that a secret may stand for, and the names of the files that keep them. Pure."""

from __future__ import annotations

import enum


class AccessRole(enum.Enum):
    """Who a caller is; the value is the name on the command line, and of its file."""

    WORKER = "worker"
    CONTROL = "control"
    READ_ONLY = "read-only"

    @property
    def file_name(self) -> str:
        """The file that keeps its join token."""
        return f"{self.value}.token"
