"""Reads the packed columns of slices straight from their bytes: the master's hot path.

A column of a message becomes a list of Python integers first, and an array of that later: two thirds of what
a slice costs. As bytes it is one row of varints, of which all columns of all slices of a report are decoded
by a dozen calls. The bytes were written by protobuf itself, from a message that it had parsed; what is not as
it writes them (a column in two pieces, a field that is not known here) is left to its own way.

The format: https://protobuf.dev/programming-guides/encoding/ . Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from locust_protocol.histogram import PRECISION_BITS
from locust_protocol.v1 import report_pb2

Ints = NDArray[np.int64]

(IDS, REQUESTS, FAILURES, UNTIMED, INTERRUPTED, RESPONSE_BYTES) = range(6)
COUNT, TOTAL_US, MIN_US, MAX_US = 6, 8, 10, 12
CELL_DELTA, CELL_COUNT, SEVERAL_DELTA = 14, 16, 18
"""Columns of a slice; from `COUNT` on each has two, of successes and of failures."""

ROW_COLUMNS = CELL_DELTA
"""Columns before it have an entry for each row."""

COLUMNS = 20

_ROWS = {4: IDS, 5: REQUESTS, 6: FAILURES, 7: UNTIMED, 8: INTERRUPTED, 9: RESPONSE_BYTES}
_TIMES = {10: 0, 11: 1}
_TIMED_ROWS = {1: COUNT, 2: TOTAL_US, 3: MIN_US, 4: MAX_US}
_TIMED_CELLS = 5
_CELL_ROWS = {2: CELL_DELTA, 3: CELL_COUNT, 4: SEVERAL_DELTA}
_READ_ELSEWHERE = {14, 15, 16, 17}
"""Fields of `Slice`: errors and exceptions, which are few."""

_VARINT, _BYTES = 0, 2
MAX_VARINT_BYTES = 8
"""Of a number up to 2^56; bigger ones are left to protobuf's way."""


class _Unusual(Exception):
    """The bytes are not laid out as protobuf writes what an agent sends."""


def read_packed(slices: Sequence[report_pb2.Slice]) -> list[list[Ints]] | None:
    """Returns for each slice its columns, None when they have to be read protobuf's way."""
    raws = [message.SerializeToString() for message in slices]
    bounds: list[int] = []
    base = 0
    try:
        for raw in raws:
            found = [0] * (2 * COLUMNS)
            _find_columns(raw, base, found)
            bounds += found
            base += len(raw)
    except _Unusual:
        return None
    decoded = _varints(b"".join(raws))
    if decoded is None:
        return None
    values, starts = decoded
    places = starts.searchsorted(bounds).tolist()
    columns = [values[places[at] : places[at + 1]] for at in range(0, len(places), 2)]
    return [columns[at : at + COLUMNS] for at in range(0, len(columns), COLUMNS)]


def _find_columns(raw: bytes, base: int, found: list[int]) -> None:
    """Notes where columns start and end in the bytes of a `Slice`. Raises `_Unusual`."""
    for field, start, end in _fields(raw, 0, len(raw)):
        if (column := _ROWS.get(field)) is not None:
            _note(found, column, base + start, base + end)
        elif (line := _TIMES.get(field)) is not None:
            _find_times(raw, start, end, line, base, found)
        elif field not in _READ_ELSEWHERE:
            raise _Unusual


def _find_times(raw: bytes, start: int, end: int, line: int, base: int, found: list[int]) -> None:
    for field, first, last in _fields(raw, start, end):
        if (column := _TIMED_ROWS.get(field)) is not None:
            _note(found, column + line, base + first, base + last)
        elif field != _TIMED_CELLS:
            raise _Unusual
        else:
            # The precision comes first, for it is the first field; without it there is nothing to be read.
            if raw[first : first + 2] != _PRECISION and first != last:
                raise _Unusual
            for of_cells, low, high in _fields(raw, first, last):
                if (column := _CELL_ROWS.get(of_cells)) is None:
                    raise _Unusual
                _note(found, column + line, base + low, base + high)


_PRECISION = bytes((1 << 3 | _VARINT, PRECISION_BITS))


def _note(found: list[int], column: int, start: int, end: int) -> None:
    if found[2 * column + 1]:
        raise _Unusual
    found[2 * column], found[2 * column + 1] = start, end


def _fields(raw: bytes, at: int, end: int) -> list[tuple[int, int, int]]:
    """Returns number, start and end of the content of each field that has a length; numbers are skipped."""
    fields = []
    while at < end:
        tag = raw[at]
        at += 1
        if tag > 127:
            tag = tag & 127 | raw[at] << 7
            at += 1
        if tag & 7 == _BYTES:
            length, shift = raw[at] & 127, 7
            while raw[at] > 127:
                at += 1
                length |= (raw[at] & 127) << shift
                shift += 7
            at += 1
            fields.append((tag >> 3, at, at + length))
            at += length
        elif tag & 7 == _VARINT:
            while raw[at] > 127:
                at += 1
            at += 1
        else:
            raise _Unusual
    return fields


def _varints(raw: bytes) -> tuple[Ints, Ints] | None:
    """Returns the numbers in a row of varints, and the byte at which each starts."""
    octets = np.frombuffer(raw, np.uint8)
    ends = (octets < 128).nonzero()[0]
    if not ends.size:
        return None
    starts = np.empty_like(ends)
    starts[0] = 0
    np.add(ends[:-1], 1, out=starts[1:])
    more = ends - starts
    widest = int(more.max())
    if widest >= MAX_VARINT_BYTES:
        return None
    low = octets & 127
    values = low[starts].astype(np.int64)
    longer = (more > 0).nonzero()[0]
    for octet in range(1, widest + 1):
        if octet > 1:
            longer = longer[more[longer] >= octet]
        values[longer] |= low[starts[longer] + octet].astype(np.int64) << (7 * octet)
    return values, starts
