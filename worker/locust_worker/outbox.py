"""What one run owes to the master: every sample exactly once, whatever happens to connections and masters.

Samples collect in the open delta. `freeze` closes it into a report with the next sequence; from then on its
content never changes, it is sent again after a lost session, and it goes when the master says that it is in
its store. A master that does not know the worker's contribution gets a snapshot instead: everything since the
run began, which replaces what it has; the sums for it are kept beside.

While the master takes nothing, the open delta goes on growing in counts, not in size: when many slices wait,
neighbours are joined, which loses resolution in time and nothing else.

Pure. Must never alter a frozen report, nor send a sample under two sequences that a master could both apply.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from google.protobuf.message import Message

from locust_protocol.limits import (
    MAX_DEALT_MS,
    MAX_PENDING_SLICES,
    MAX_REPORT_BYTES,
    MAX_SERIES_NAMES,
    MAX_UNACKED_REPORTS,
)
from locust_protocol.v1 import report_pb2
from locust_worker.combine import Definitions, RunDictionary
from locust_worker.extras import Extras
from locust_worker.slices import SliceKey, Slices, SliceTotals, add_slice, write_slice

MIN_CONTENT_BYTES = 16 * 1024
"""Bytes of content below which a report is not made smaller: what takes no such report takes none."""

REPORT_OVERHEAD_BYTES = 64 * 1024
"""Bytes kept free in a report for its status and its header: 100 runners take a tenth of it."""

MIN_SNAPSHOT_WIDTH_MS = 2 * MAX_DEALT_MS
"""Milliseconds of a snapshot's slices at least: the master deals none of its parts to seconds."""


class Outbox:
    """The reports of one run."""

    def __init__(
        self,
        run_id: bytes,
        *,
        window: int = MAX_UNACKED_REPORTS,
        max_report_bytes: int = MAX_REPORT_BYTES,
        max_pending_slices: int = MAX_PENDING_SLICES,
        max_series: int = MAX_SERIES_NAMES,
    ) -> None:
        self.run_id = run_id
        self.dictionary = RunDictionary(max_series=max_series)
        self.open: Slices = {}
        self.last_sequence = 0
        self.joined_slices = 0
        self.is_final = False
        self._window = window
        self._max_pending_slices = max_pending_slices
        self._content_bytes = max(max_report_bytes - REPORT_OVERHEAD_BYTES, max_report_bytes // 2)
        self._cumulative = _Cumulative()
        self._frozen: deque[report_pb2.Report] = deque()
        self._sent_through = 0
        self._acknowledged = 0
        self._is_refused = False

    @property
    def unacked(self) -> int:
        """Reports that are frozen and not acknowledged."""
        return len(self._frozen)

    @property
    def frozen(self) -> tuple[report_pb2.Report, ...]:
        """Those reports, oldest first; not to be altered."""
        return tuple(self._frozen)

    @property
    def can_freeze(self) -> bool:
        """True while the window has room; else what comes is merged into the open delta."""
        return len(self._frozen) < self._window

    @property
    def is_settled(self) -> bool:
        """True when the final report, and so all of the run, is in the master's store."""
        return self.is_final and not self._frozen and not self.open

    @property
    def _begins_with_snapshot(self) -> bool:
        return bool(self._frozen) and self._frozen[0].snapshot

    def join_pending(self) -> None:
        """Joins neighbouring slices while too many wait. Call after adding to `open`."""
        while len(self.open) > self._max_pending_slices:
            by_width: dict[int, list[SliceKey]] = {}
            for key in self.open:
                by_width.setdefault(key.width_ms, []).append(key)
            most = max(by_width.values(), key=lambda keys: (len(keys), -keys[0].width_ms))
            before = len(self.open)
            for key in most:
                add_slice(self.open, key.widened(), self.open.pop(key))
            self.joined_slices += before - len(self.open)

    def freeze(self, extras: Extras, *, final: bool = False) -> None:
        """Closes the open delta into one report, or several where it is too large; may be empty."""
        assert self.can_freeze, "the caller looks at can_freeze first"
        slices, self.open = self.open, {}
        self._cumulative.add(slices)
        self._pack(slices, self.dictionary.take_new(), extras, snapshot=False, final=final)

    def shrink(self) -> bool:
        """The master refuses a report as too large: what is sent from the next session on is half as large.

        What was frozen goes as a snapshot in smaller parts, under new sequences: so it does not matter which
        of the old reports were applied. False when reports are as small as they get: it is no use any more.
        """
        if self._content_bytes <= MIN_CONTENT_BYTES:
            return False
        self._content_bytes = max(MIN_CONTENT_BYTES, self._content_bytes // 2)
        self._is_refused = True
        return True

    def take_due(self) -> list[report_pb2.Report]:
        """Returns the reports to send now, oldest first, each once a session and within the window."""
        due = [
            report for report in list(self._frozen)[: self._window] if report.sequence > self._sent_through
        ]
        if due:
            self._sent_through = due[-1].sequence
        return due

    def acknowledge(self, sequence: int) -> None:
        """The master has stored all reports up to `sequence`."""
        self._acknowledged = max(self._acknowledged, sequence)
        while self._frozen and self._frozen[0].sequence <= sequence:
            self._frozen.popleft()

    def resume(self, extras: Extras, *, stats_known: bool, acknowledged_sequence: int) -> None:
        """A new session: sends again what the master has not stored, or a snapshot when it knows nothing."""
        self._sent_through = 0
        is_refused, self._is_refused = self._is_refused, False
        if stats_known:
            self.acknowledge(acknowledged_sequence)
            is_refused = is_refused and bool(self._frozen)
            next_sequence = self._frozen[0].sequence if self._frozen else self.last_sequence + 1
            # A snapshot needs nothing before it, and may have been applied although it is not stored yet.
            is_whole = next_sequence == acknowledged_sequence + 1 or self._begins_with_snapshot
            if is_whole and not is_refused:
                return
        if self.last_sequence:
            self._replace_by_snapshot(
                extras, applied_sequence=0 if not stats_known else acknowledged_sequence
            )

    def resync(self, extras: Extras, *, expected_sequence: int) -> None:
        """The master lacks a report: sends a snapshot, unless one answers that already."""
        is_answered = any(report.snapshot for report in self._frozen)
        if is_answered or expected_sequence <= self._acknowledged:
            return
        self._replace_by_snapshot(extras, applied_sequence=expected_sequence - 1)

    def _replace_by_snapshot(self, extras: Extras, *, applied_sequence: int) -> None:
        # Samples of dropped reports are in the cumulative sums; the rest that they carried is put back,
        # unless the master applied it, or listener data would count twice.
        for report in reversed(self._frozen):
            if report.sequence > applied_sequence:
                extras.put_back(report)
        self._frozen.clear()
        self.last_sequence = max(self.last_sequence, applied_sequence)
        was_final = self.is_final and not self.open
        slices, self.open = self.open, {}
        self._cumulative.add(slices)
        self._pack(
            self._cumulative.slices(), self.dictionary.take_all(), extras, snapshot=True, final=was_final
        )

    def _pack(
        self, slices: Slices, definitions: Definitions, extras: Extras, *, snapshot: bool, final: bool
    ) -> None:
        """Freezes content as reports of bounded size; of a snapshot the first replaces, the rest adds."""
        reports = _Packer(self._content_bytes)
        reports.put_definitions(definitions)
        for key in sorted(slices):
            reports.put_slice(key, slices[key])
        for field, piece in extras.take():
            reports.put(field, piece)
        for report in reports.packed:
            self.last_sequence += 1
            report.run_id = self.run_id
            report.sequence = self.last_sequence
        reports.packed[0].snapshot = snapshot
        reports.packed[-1].final = final
        self.is_final = final
        self._frozen.extend(reports.packed)


class _Cumulative:
    """All samples of the run, one wide slice an epoch: what a snapshot is made of."""

    def __init__(self) -> None:
        self._totals: dict[int, SliceTotals] = {}
        self._end_ms = MIN_SNAPSHOT_WIDTH_MS

    def add(self, slices: Slices) -> None:
        for key, totals in slices.items():
            self._totals.setdefault(key.stats_epoch, SliceTotals()).add(totals)
            self._end_ms = max(self._end_ms, key.start_ms + key.width_ms)

    def slices(self) -> Slices:
        width_ms = MIN_SNAPSHOT_WIDTH_MS
        while width_ms < self._end_ms:
            width_ms *= 2
        return {SliceKey(0, width_ms, epoch): totals for epoch, totals in self._totals.items()}


class _Packer:
    """Fills reports one after another, none over a size unless a single entry is."""

    def __init__(self, limit_bytes: int) -> None:
        self.packed = [report_pb2.Report()]
        self._limit_bytes = limit_bytes
        self._used_bytes = 0

    def put_definitions(self, definitions: Definitions) -> None:
        for series in definitions.series:
            self.put("series", series)
        for error in definitions.errors:
            self.put("errors", error)
        for exception in definitions.exceptions:
            self.put("exceptions", exception)

    def put_slice(self, key: SliceKey, totals: SliceTotals) -> None:
        for message in self._fitting(key, totals):
            self.put("slices", message)

    def put(self, field: str, message: Message) -> None:
        size_bytes = message.ByteSize()
        if self._used_bytes and self._used_bytes + size_bytes > self._limit_bytes:
            self.packed.append(report_pb2.Report())
            self._used_bytes = 0
        getattr(self.packed[-1], field).append(message)
        self._used_bytes += size_bytes

    def _fitting(self, key: SliceKey, totals: SliceTotals) -> Iterator[report_pb2.Slice]:
        message = write_slice(key, totals)
        if message.ByteSize() <= self._limit_bytes or totals.entries < 2:
            yield message
            return
        for half in totals.halves():
            yield from self._fitting(key, half)
