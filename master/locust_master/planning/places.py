"""At which place of a sequence somebody's n-th turn comes.

Pure: it must never know what the sequence is of.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

# Keys below this sort several times as fast (numpy sorts small integers by their digits).
SMALL_KEYS = 1 << 16


class Places:
    """Places and turns count from 0. Only the first `length` places of the sequence are looked at; turns
    beyond them come after all of them, those of whoever has most beyond the last. Keys are whole numbers.
    """

    __slots__ = ("_bounds", "_length", "_places")

    def __init__(self, sequence: Iterator[int], length: int) -> None:
        self._length = length
        keys = _small(np.fromiter(islice(sequence, length), dtype=np.int64))
        # Sorted by key, and each key's in order: a key's places are between its two bounds.
        order = np.argsort(keys, kind="stable")
        by_key = keys[order]
        firsts = [0, *(np.flatnonzero(np.diff(by_key)) + 1).tolist()] if len(keys) else []
        self._places: list[int] = order.tolist()
        self._bounds: dict[int, tuple[int, int]] = dict(
            zip(by_key[firsts].tolist(), zip(firsts, [*firsts[1:], len(keys)], strict=True), strict=True)
            if firsts
            else ()
        )

    def of(self, key: int, turn: int) -> int:
        """Return the place of the given turn of `key`."""
        begin, end = self._bounds.get(key, (0, 0))
        at = begin + turn
        return self._places[at] if at < end else self._length + at - end

    def between(self, key: int, first: int, end: int) -> list[int]:
        """Return the places of the turns from `first` to before `end`."""
        known = self._bounds.get(key, (0, 0))
        at = min(known[1], known[0] + first)
        inside = self._places[at : min(known[1], known[0] + end)]
        return inside + [self.of(key, turn) for turn in range(first + len(inside), end)]

    def turns_before(self, key: int, place: int) -> int:
        """Return how many turns `key` has before the given place, which must not be beyond the length."""
        begin, end = self._bounds.get(key, (0, 0))
        return bisect_left(self._places, place, begin, end) - begin


def in_order(places: Sequence[Sequence[int]]) -> tuple[list[int], list[int]]:
    """Return the places of all keys, which are 0 to len(places) - 1, in order, and whose each is."""
    every = np.fromiter(chain.from_iterable(places), dtype=np.int64)
    keys = np.repeat(np.arange(len(places)), [len(each) for each in places])
    order = np.argsort(every, kind="stable")
    return every[order].tolist(), keys[order].tolist()


def _small(keys: NDArray[np.int64]) -> NDArray[np.int64] | NDArray[np.uint16]:
    return keys.astype(np.uint16) if len(keys) and keys.max() < SMALL_KEYS else keys
