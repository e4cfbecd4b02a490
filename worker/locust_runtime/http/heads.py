"""Heads of HTTP messages as text: merging and checking fields, and decoding what a target sent. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from geventhttpclient.header import Headers

# RFC 9110: a method and a field's name are tokens; no value may hold a line break, on which request
# smuggling builds.
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_COMMON_METHODS: Final = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"))
_BODY_METHODS: Final = frozenset(("POST", "PUT", "PATCH"))

Fields = dict[str, tuple[str, str]]
"""Header fields by their name in lower case: (name as written, value)."""


@dataclass(frozen=True, slots=True)
class FieldBlock:
    """The lines of a request's head that are the same for every request like it."""

    text: str
    has_cookie: bool
    has_length: bool
    is_chunked: bool


def merge_fields(*layers: Mapping[str, Any] | None) -> Fields:
    """One set of fields; later layers win, whatever the case of a name. A value of None removes the field.

    Several values of one name in one layer (a list, or a Headers with several lines) become one line,
    joined by commas, which means the same.
    """
    merged: Fields = {}
    for layer in layers:
        of_layer: dict[str, tuple[str, str | None]] = {}
        for name, value in (layer or {}).items():
            key, text = name.lower(), _value_text(value)
            if key in of_layer and text is not None:
                text = f"{of_layer[key][1]}, {text}"
            of_layer[key] = (name, text)
        for key, (name, text) in of_layer.items():
            if text is None:
                merged.pop(key, None)
            else:
                merged[key] = (name, text)
    return merged


def _value_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)


def field_block(fields: Fields) -> FieldBlock:
    """The lines for `fields`; raises ValueError for a name or a value that HTTP does not allow."""
    for name, value in fields.values():
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"invalid header field name {name!r}")
        if not _VALUE.fullmatch(value):
            raise ValueError(f"invalid value for header field {name!r}: {value!r}")
    is_chunked = "chunked" in fields.get("transfer-encoding", ("", ""))[1].lower()
    # both together are forbidden, and chunks say how long they are
    lines = (field for key, field in fields.items() if not (is_chunked and key == "content-length"))
    return FieldBlock(
        text="".join(f"{name}: {value}\r\n" for name, value in lines),
        has_cookie="cookie" in fields,
        has_length="content-length" in fields,
        is_chunked=is_chunked,
    )


def length_line(block: FieldBlock, method: str, length: int | None) -> str:
    """The line that says how long the body is; `length` is None for a stream that does not tell.

    Methods that carry bodies say 0 for an empty one.
    """
    if block.is_chunked:
        return ""
    if length is None:
        return "Transfer-Encoding: chunked\r\n"
    if block.has_length or not (length or method in _BODY_METHODS):
        return ""
    return f"Content-Length: {length}\r\n"


def check_method(method: str) -> None:
    """Raises ValueError for what cannot be a method."""
    if method not in _COMMON_METHODS and not _TOKEN.fullmatch(method):
        raise ValueError(f"invalid HTTP method {method!r}")


def parse_fields(head: bytes) -> Headers:
    """The fields of a head (request or response, first line included) that the parser found to be valid."""
    headers = Headers()
    for line in head.decode("latin-1").split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers.add(name, value.strip(" \t"))
    return headers


def has_field(head: bytes, name: bytes) -> bool:
    """Whether a head has the field `name` (in lower case): an early no, before anything is decoded."""
    return b"\n" + name + b":" in head.lower()
