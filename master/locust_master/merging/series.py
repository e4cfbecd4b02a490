"""The series of a run at the master: their numbers, what they are called, and what was counted of them.

A series is named by its content (kind, type, name, labels, parent, unit), so that workers that number it
differently meet in one row. Numbers are given from 1 in the order of arrival and hold for the run; what
comes after the limit counts in row 0, "(other)".

Pure. Must never give a number a second meaning within a run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from locust_master.merging.cells import CellPool, PooledHistogram
from locust_master.merging.seconds import RecentSeconds, Timeline
from locust_master.merging.sums import Sums
from locust_protocol.limits import MAX_NAME_CHARS, MAX_SERIES_NAMES, OTHER_NAME
from locust_protocol.v1 import report_pb2

OTHER_ID = 0
"""Number of the row that takes what is over the limit."""

MAX_LABELS = 16
"""Labels of one series; further ones are left out."""

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """What a series counts; `parent_id` is the master's number of the series that it is nested under."""

    kind: report_pb2.SeriesKind.ValueType
    request_type: str
    name: str
    labels: Labels = ()
    parent_id: int | None = None
    unit: str = ""


OTHER_KEY = SeriesKey(report_pb2.SERIES_KIND_REQUEST, "", OTHER_NAME)


@dataclass(slots=True)
class SeriesTotals:
    """What all workers together counted of one series in the epoch that is shown.

    `first_ms` and `last_ms` span the slices that had samples, on the run's timeline; `revision` is that of
    the totals at the last change, and `quantiles` keeps what was computed since then.
    """

    id: int
    key: SeriesKey
    sums: Sums = field(default_factory=Sums)
    first_ms: int | None = None
    last_ms: int | None = None
    revision: int = 0
    recent: RecentSeconds = field(default_factory=RecentSeconds)
    timeline: Timeline = field(default_factory=Timeline)
    quantiles: dict[tuple[float, ...], list[float | None]] = field(default_factory=dict)

    def widen(self, first_ms: int, last_ms: int) -> None:
        """Notes that there were samples between two moments."""
        self.first_ms = first_ms if self.first_ms is None else min(self.first_ms, first_ms)
        self.last_ms = last_ms if self.last_ms is None else max(self.last_ms, last_ms)

    def touch(self, revision: int) -> None:
        """Notes a change."""
        self.revision = revision
        self.quantiles.clear()

    def quantiles_us(self, shares: tuple[float, ...]) -> list[float | None]:
        """Returns percentiles in µs of all timed requests, computed once a change; None without samples."""
        known = self.quantiles.get(shares)
        if known is None:
            known = self.quantiles[shares] = self.sums.timed().quantiles_us(shares)
        return known

    def clear(self, revision: int) -> None:
        """Forgets what was counted; the number and the name stay."""
        self.sums.clear()
        self.first_ms = self.last_ms = None
        self.recent, self.timeline = RecentSeconds(), Timeline()
        self.touch(revision)


NAMES_SHOWN = 5
"""Names that a warning about too many of them shows."""


class SeriesTable:
    """Series by number and by content; the buckets of row n are rows 2n (successes) and 2n + 1 of `pool`."""

    def __init__(self, *, max_series: int = MAX_SERIES_NAMES) -> None:
        self.pool = CellPool()
        self._max_series = max_series
        self._by_key: dict[SeriesKey, int] = {}
        self._rows: dict[int, SeriesTotals] = {}
        self._label_sets: dict[Labels, int] = {(): 0}
        self.are_requests = np.ones(1, np.bool_)
        """By number, whether a row counts requests."""

    @property
    def is_limited(self) -> bool:
        """True once samples of some name count under "(other)", by a limit here or of a worker."""
        return OTHER_ID in self._rows

    @property
    def newest_names(self) -> list[str]:
        """Names of the newest series, at most `NAMES_SHOWN`: where names do not end, they show why."""
        keys = islice(reversed(self._by_key), NAMES_SHOWN)
        return [f"{key.request_type} {key.name}".strip() for key in keys]

    def number(self, key: SeriesKey) -> int:
        """Returns the number of a series, a new one if there is room, else `OTHER_ID`."""
        known = self._by_key.get(key)
        if known is not None:
            return known
        if len(self._by_key) >= self._max_series:
            self.row(OTHER_ID)
            return OTHER_ID
        number = self._by_key[key] = len(self._by_key) + 1
        self._label_sets.setdefault(key.labels, len(self._label_sets))
        self._add_row(number, key)
        return number

    def row(self, number: int) -> SeriesTotals:
        """Returns the totals of a series; those of "(other)" are made when first asked for."""
        if number == OTHER_ID and OTHER_ID not in self._rows:
            self._add_row(OTHER_ID, OTHER_KEY)
        return self._rows[number]

    def __iter__(self) -> Iterator[SeriesTotals]:
        """All series that have a number, in no particular order."""
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def _add_row(self, number: int, key: SeriesKey) -> None:
        if number == self.are_requests.size:
            self.are_requests = np.append(self.are_requests, key.kind == report_pb2.SERIES_KIND_REQUEST)
        successful, failed = (PooledHistogram(self.pool, 2 * number + line) for line in range(2))
        self._rows[number] = SeriesTotals(number, key, Sums(successful=successful, failed=failed))

    def definition(self, row: SeriesTotals) -> report_pb2.SeriesDefinition:
        """Returns the definition of a series with the master's numbers and all of its labels."""
        key = row.key
        return report_pb2.SeriesDefinition(
            id=row.id,
            kind=key.kind,
            request_type=key.request_type,
            name=key.name,
            label_set_id=self._label_sets.get(key.labels, 0),
            parent_id=key.parent_id,
            unit=key.unit,
            labels=[report_pb2.Label(key=label, value=value) for label, value in key.labels],
        )


def labels_of(definition: report_pb2.SeriesDefinition) -> Labels:
    """Returns the labels of a definition in the order of their names, texts cut to their limits."""
    return tuple(
        sorted(
            (label.key[:MAX_NAME_CHARS], label.value[:MAX_NAME_CHARS])
            for label in definition.labels[:MAX_LABELS]
        )
    )


def series_key(
    definition: report_pb2.SeriesDefinition, *, labels: Labels, parent_id: int | None
) -> SeriesKey:
    """Returns what a definition names, texts cut to their limits."""
    return SeriesKey(
        kind=definition.kind or report_pb2.SERIES_KIND_REQUEST,
        request_type=definition.request_type[:MAX_NAME_CHARS],
        name=definition.name[:MAX_NAME_CHARS],
        labels=labels,
        parent_id=parent_id,
        unit=definition.unit[:MAX_NAME_CHARS],
    )
