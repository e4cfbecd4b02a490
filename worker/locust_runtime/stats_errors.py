"""Failures, grouped by request and text, as user code reads them in `stats.errors`."""

from __future__ import annotations

import hashlib
import re
import time
from typing import Any, Final

from locust_runtime.exceptions import CatchResponseError

_ADDRESS: Final = re.compile(r"object at 0x[0-9a-fA-F]+")


class StatsError:
    """One kind of failure: a request's method and name, and the text of the error."""

    def __init__(
        self,
        method: str,
        name: str,
        error: BaseException | str | None,
        occurrences: int = 0,
        first_seen: float | None = None,
        last_seen: float | None = None,
    ) -> None:
        self.method = method
        self.name = name
        self.error = error
        self.occurrences = occurrences
        self.first_seen = first_seen
        """Epoch seconds."""
        self.last_seen = last_seen
        """Epoch seconds."""

    @classmethod
    def parse_error(cls, error: BaseException | str | None) -> str:
        """The text that errors are grouped by: addresses of objects are masked, they differ every time."""
        text = error if isinstance(error, str) else repr(error)
        return _ADDRESS.sub("object at 0x....", text)

    @classmethod
    def create_key(cls, method: str, name: str, error: BaseException | str | None) -> str:
        """The key in `stats.errors`."""
        identity = f"{method}.{name}.{cls.parse_error(error)!r}"
        return hashlib.sha256(identity.encode()).hexdigest()

    def occurred(self) -> None:
        """Counts one more, now."""
        now = time.time()
        self.occurrences += 1
        self.first_seen = now if self.first_seen is None else self.first_seen
        self.last_seen = now

    def to_name(self) -> str:
        """One line: method, name and text; the text of `response.failure(...)` stands bare."""
        if isinstance(self.error, CatchResponseError):
            text = str(self.error.args[0]) if self.error.args else ""
        else:
            text = self.error if isinstance(self.error, str) else repr(self.error)
            if text.startswith("CatchResponseError("):
                text = text.removeprefix("CatchResponseError(")[:-1]
        return f"{self.method} {self.name}: {text}"

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain data."""
        return {
            "method": self.method,
            "name": self.name,
            "error": self.parse_error(self.error),
            "occurrences": self.occurrences,
            "first_seen": self.first_seen,
            "last_seen": self.last_seen,
        }
