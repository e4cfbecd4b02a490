"""How requests of FastHttpUser fail: the error for a bad status, and what else counts as a failure."""

from __future__ import annotations

from typing import Final

from gevent.timeout import Timeout
from geventhttpclient._parser import HTTPParseError
from geventhttpclient.useragent import ConnectionError

from locust_runtime.http.decoding import DECODING_ERRORS


class LocustBadStatusCode(ConnectionError):
    """The answer's status is not among the good ones. Its repr leaves the URL out: failures group by it."""

    code: int

    def __repr__(self) -> str:
        return f"LocustBadStatusCode(code={self.code})"


# OSError: refused, reset, unreachable, name unknown, TLS, timed out.
# Timeout: a gevent.Timeout of the locustfile.
FAILURES: Final[tuple[type[BaseException], ...]] = (
    ConnectionError,
    OSError,
    Timeout,
    HTTPParseError,
    *DECODING_ERRORS,
)
"""Exceptions that make a failed request. Others are mistakes in a locustfile, and pass."""
