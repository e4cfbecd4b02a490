"""What an exception is called in the statistics, and whose fault it is.

Texts are what failures are grouped by: a memory address, a UUID or the number of an order in one would make
a group of each failure, so they are masked, short numbers too where a URL has them as a part of its path or
as a value; what else is short, such as a status or a port, tells failures apart. This is done here and
nowhere else: agent and master group by the texts that they get.
The exception itself is never kept: it holds frames, and frames hold responses.
"""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Iterator
from typing import Final

from locust_protocol.limits import MAX_ERROR_TEXT_CHARS, MAX_TRACEBACK_CHARS
from locust_protocol.v1.report_pb2 import ErrorOrigin
from locust_runtime.exceptions import LocustError

MAX_CAUSES: Final = 8
"""Exceptions looked at on the way to the innermost one; clients wrap a socket's error three or four times."""

_ADDRESS: Final = re.compile(r"\bat 0x[0-9a-fA-F]+")

_UUID: Final = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")

_LONG_HEX: Final = re.compile(r"\b(?=[0-9a-fA-F]*[0-9])(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{12,}\b")
"""Digests and tokens; a word of hexadecimal letters alone has no digit, a number no letter."""

_LONG_NUMBER: Final = re.compile(r"\d{6,}")
"""Ids and times; ports have five digits at most."""

_BREAKS: Final = r"\s\"'<>()\[\],|"

_WITH_SLASH: Final = re.compile(rf"(?<![^{_BREAKS}])[^{_BREAKS}/?]*+[/?][^{_BREAKS}]*")
"""What may be a URL or a part of one. It begins where a word does, so that a long text is searched once."""

_PATH_NUMBER: Final = re.compile(r"(?<=/)\d+(?!\.\d)(?![\w%+~-])")
"""A part of a path that is a number, an ending such as `.json` aside; `1.1` and `2-step` are none."""

_VALUE_NUMBER: Final = re.compile(r"(?<==)\d+(?!\.\d)(?![\w%+~-])")

_LONG_PART: Final = re.compile(r"[0-9a-fA-F]{6}")
"""What all of them have: most texts have none, and are looked at once."""

_GENERATOR_ERRNOS: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM}
)
"""This machine has no more descriptors, ports or memory."""

_SCRIPT_MISTAKES: Final = (NameError, ImportError, SyntaxError, NotImplementedError, LocustError)
"""What no answer of a target can cause. A TypeError is not among them: an unexpected body causes it too."""


def error_text(exception: BaseException | str) -> str:
    """The text of a failed request: the exception as Python shows it, or the text that was given."""
    try:
        text = exception if isinstance(exception, str) else repr(exception)
    except Exception:
        text = f"{type(exception).__name__} (its repr raises)"
    return _bounded(text)


def exception_text(exception: BaseException) -> str:
    """The message of an exception of user code; the name of its type where it has none."""
    try:
        text = str(exception)
    except Exception:
        text = ""
    return _bounded(text or type(exception).__name__)


def traceback_text(formatted: str) -> str:
    """A formatted traceback within its limit: of a longer one, start and end remain."""
    text = masked(formatted)
    if len(text) <= MAX_TRACEBACK_CHARS:
        return text
    gap = "\n  …\n"
    kept = (MAX_TRACEBACK_CHARS - len(gap)) // 2
    return text[:kept] + gap + text[-kept:]


def error_origin(exception: BaseException | str) -> ErrorOrigin.ValueType:
    """Whose fault a failed request is; a text given by the locustfile is about the target."""
    if isinstance(exception, str):
        return ErrorOrigin.ERROR_ORIGIN_TARGET
    for cause in _causes(exception):
        is_shortage = isinstance(cause, OSError) and cause.errno in _GENERATOR_ERRNOS
        if is_shortage or isinstance(cause, socket.gaierror):
            return ErrorOrigin.ERROR_ORIGIN_GENERATOR
    if isinstance(exception, _SCRIPT_MISTAKES):
        return ErrorOrigin.ERROR_ORIGIN_SCRIPT
    return ErrorOrigin.ERROR_ORIGIN_TARGET


def _bounded(text: str) -> str:
    # What is far beyond the limit is cut off anyway and need not be searched.
    text = masked(text[: 4 * MAX_ERROR_TEXT_CHARS])
    if "/" in text or "?" in text:
        text = _WITH_SLASH.sub(_without_ids, text)
    return shortened(text, MAX_ERROR_TEXT_CHARS)


def masked(text: str) -> str:
    """The text without what differs from one object or record to the next: addresses, UUIDs, digests, ids."""
    if "0x" in text:
        text = _ADDRESS.sub("at 0x....", text)
    if not _LONG_PART.search(text):
        return text
    text = _LONG_HEX.sub("<hex>", _UUID.sub("<uuid>", text))
    return _LONG_NUMBER.sub("<number>", text)


def _without_ids(found: re.Match[str]) -> str:
    """A URL with its numbers masked; what is none, such as 3/4, HTTP/2 or a date, stays."""
    word = found[0]
    path, mark, query = word.partition("?")
    head, slash, _ = path.partition("/")
    if slash and not head.isupper() and (not head or ":" in head or any(char.isalpha() for char in head)):
        path = _PATH_NUMBER.sub("<number>", path)
    return path + mark + _VALUE_NUMBER.sub("<number>", query) if mark else path


def shortened(text: str, limit_chars: int) -> str:
    """The text, cut to the limit with an ellipsis; lone surrogates, which no message can carry, replaced."""
    cut = text if len(text) <= limit_chars else text[: limit_chars - 1] + "…"
    return cut if cut.isascii() else cut.encode("utf-8", "replace").decode("utf-8")


def _causes(exception: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = exception
    for _ in range(MAX_CAUSES):
        if current is None:
            return
        yield current
        wrapped = getattr(current, "reason", None) or next(iter(current.args), None)
        current = current.__cause__ or (
            wrapped if isinstance(wrapped, BaseException) else current.__context__
        )
