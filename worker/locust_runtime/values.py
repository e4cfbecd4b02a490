"""Python data ↔ the typed `Value` of the protocol: custom messages, report data, defaults of arguments.

What user code hands over is refused where it is made, with the place in the data that is wrong, and never
turned into something else in silence. Tuples become lists; that is the one thing that changes on the way.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

from locust_protocol.limits import MAX_VALUE_DEPTH, MAX_VALUE_ITEMS
from locust_protocol.v1.value_pb2 import Value, ValueEntry, ValueList, ValueMap

MIN_INT, MAX_INT = -(1 << 63), (1 << 63) - 1
"""Range of a whole number on the wire."""


class ValueRefused(ValueError):
    """The data cannot travel; the text says which part of it and why."""


def to_value(data: Any) -> Value:
    """Return the message for None, bool, int, float, str, bytes, and lists, tuples and dicts of these.

    Raises `ValueRefused` for anything else, for keys that are not text, whole numbers beyond 64 bits, more
    than `MAX_VALUE_DEPTH` levels and more than `MAX_VALUE_ITEMS` items.
    """
    return _Encoder().encode(data, place="data", depth=1)


def from_value(value: Value) -> Any:
    """Return the Python data of a message; an unset one is None."""
    kind = value.WhichOneof("kind")
    if kind is None or kind == "null_value":
        return None
    if kind == "list_value":
        return [from_value(item) for item in value.list_value.values]
    if kind == "map_value":
        return {entry.key: from_value(entry.value) for entry in value.map_value.entries}
    return getattr(value, kind)


class _Encoder:
    def __init__(self) -> None:
        self._items = 0

    def encode(self, data: Any, *, place: str, depth: int) -> Value:
        if data is None:
            return Value(null_value=True)
        if isinstance(data, bool):
            return Value(bool_value=data)
        if isinstance(data, numbers.Integral):
            return self._encode_int(int(data), place)
        if isinstance(data, numbers.Real):
            return Value(double_value=float(data))
        if isinstance(data, str):
            return self._encode_text(data, place)
        if isinstance(data, bytes | bytearray | memoryview):
            return Value(bytes_value=bytes(data))
        if depth > MAX_VALUE_DEPTH:
            raise ValueRefused(f"{place} is nested deeper than {MAX_VALUE_DEPTH} levels")
        if isinstance(data, Mapping):
            return Value(map_value=self._encode_map(data, place, depth))
        if isinstance(data, list | tuple):
            self._count(len(data), place)
            items = [
                self.encode(item, place=f"{place}[{index}]", depth=depth + 1)
                for index, item in enumerate(data)
            ]
            return Value(list_value=ValueList(values=items))
        raise ValueRefused(f"{place} is a {type(data).__name__}; it has to be plain data")

    def _encode_map(self, data: Mapping[Any, Any], place: str, depth: int) -> ValueMap:
        self._count(len(data), place)
        entries = []
        for key, item in data.items():
            if not isinstance(key, str):
                raise ValueRefused(f"{place} has the key {key!r}; keys have to be text")
            inner = f"{place}[{key!r}]"
            self._encode_text(key, inner)
            entries.append(ValueEntry(key=key, value=self.encode(item, place=inner, depth=depth + 1)))
        return ValueMap(entries=entries)

    def _encode_int(self, number: int, place: str) -> Value:
        if not MIN_INT <= number <= MAX_INT:
            raise ValueRefused(f"{place} is {number}, which 64 bits cannot hold")
        return Value(int_value=number)

    def _encode_text(self, text: str, place: str) -> Value:
        try:
            return Value(string_value=text)
        except ValueError:  # a lone surrogate
            raise ValueRefused(f"{place} is text that UTF-8 cannot hold") from None

    def _count(self, items: int, place: str) -> None:
        self._items += items
        if self._items > MAX_VALUE_ITEMS:
            raise ValueRefused(f"more than {MAX_VALUE_ITEMS} items, counted up to {place}")
