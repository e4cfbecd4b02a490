"""What a connection error is really about. Pure.

Failures are grouped by their text, so it must be the same for every failure of one kind: without the
wrapping exceptions that repeat a URL with its ids.
"""

from __future__ import annotations

from typing import Final

import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError

_WRAPPERS: Final = (requests.exceptions.ConnectionError, ProtocolError, MaxRetryError, NewConnectionError)


def innermost_error(error: BaseException) -> BaseException:
    """The exception below the wrappers of requests and urllib3; `error` itself when it is none of them."""
    while isinstance(error, _WRAPPERS) and error.__context__ is not None:
        error = error.__context__
    return error
