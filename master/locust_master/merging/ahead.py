"""Slices of reports of many workers, read together ahead of each report's turn.

What an array costs is in the calls, so the slices of twenty reports are read for little more than those of
one. Each report is still judged, checked and counted by itself, and may be refused while the others count.

Pure. Must never read what a report's own reading would not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from locust_master.merging.arrays import MAX_TOGETHER, SliceArrays, read_arrays
from locust_protocol.v1 import report_pb2


@dataclass(slots=True)
class Block:
    """Slices that were read together, and what is computed of all of them when the first one asks."""

    arrays: SliceArrays
    _counts: list[list[int]] | None = None

    @property
    def counts(self) -> list[list[int]]:
        """Requests, failures, untimed and interrupted ones of each slice, whatever its rows count."""
        if self._counts is None:
            self._counts = self.arrays.counts()
        return self._counts


@dataclass(frozen=True, slots=True)
class SlicePart:
    """The slices of one report in a block: those from `first` on and before `end`."""

    block: Block
    first: int
    end: int

    @property
    def messages(self) -> Sequence[report_pb2.Slice]:
        """The slices as they came."""
        return self.block.arrays.messages[self.first : self.end]

    @property
    def rows(self) -> slice:
        """Where the rows are in the arrays."""
        ends = self.block.arrays.ends
        return slice(ends[self.first - 1] if self.first else 0, ends[self.end - 1])

    @property
    def starts(self) -> list[int]:
        """The first row of each slice, counted from the first one of the part."""
        starts = self.block.arrays.starts
        return [start - starts[self.first] for start in starts[self.first : self.end]]


def read_part(slices: Sequence[report_pb2.Slice]) -> SlicePart | None:
    """Returns slices in arrays of their own, None as `read_arrays` does."""
    arrays = read_arrays(slices)
    return None if arrays is None else SlicePart(Block(arrays), 0, len(slices))


def read_ahead(reports: Sequence[report_pb2.Report]) -> list[SlicePart | None]:
    """Returns for each report its slices in arrays; None for one that has to be read by itself."""
    found: list[SlicePart | None] = [None] * len(reports)
    for places in _groups(reports):
        arrays = read_arrays([each for place in places for each in reports[place].slices])
        if arrays is None:
            continue
        block = Block(arrays)
        ends = accumulate(len(reports[place].slices) for place in places)
        for place, end in zip(places, ends, strict=True):
            found[place] = SlicePart(block, end - len(reports[place].slices), end)
    return found


def _groups(reports: Sequence[report_pb2.Report]) -> list[list[int]]:
    """Returns the places of reports that are read together, in their order."""
    groups: list[list[int]] = []
    room = 0
    for place, report in enumerate(reports):
        size = len(report.slices)
        if not 0 < size <= MAX_TOGETHER or report.snapshot:
            continue
        if size > room:
            groups.append([])
            room = MAX_TOGETHER
        groups[-1].append(place)
        room -= size
    return groups
