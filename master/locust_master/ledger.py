"""Which reports count: each (worker uid, run id, sequence) exactly once, in order.

Pure. The caller merges a report when told APPLY and acknowledges it after the store has it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class Verdict(enum.Enum):
    """What to do with a report."""

    APPLY = "apply"
    """It is the next one: merge it."""
    REPLACE = "replace"
    """It is a snapshot: it replaces all that the worker contributed."""
    DUPLICATE = "duplicate"
    """It counts already: acknowledge it again, merge nothing."""
    GAP = "gap"
    """An earlier one is missing: ask for a snapshot."""
    FOREIGN = "foreign"
    """It belongs to a run that is not the present one: drop it and say so."""


@dataclass(slots=True)
class Ledger:
    """Last sequence applied and stored, by worker uid, for one run."""

    run_id: bytes
    applied: dict[bytes, int] = field(default_factory=dict)
    stored: dict[bytes, int] = field(default_factory=dict)
    finals: set[bytes] = field(default_factory=set)

    def judge(self, *, worker_uid: bytes, run_id: bytes, sequence: int, is_snapshot: bool) -> Verdict:
        """Returns what to do with a report; changes nothing."""
        if run_id != self.run_id:
            return Verdict.FOREIGN
        last = self.applied.get(worker_uid)
        if last is not None and sequence <= last:
            return Verdict.DUPLICATE
        if is_snapshot:
            return Verdict.REPLACE
        return Verdict.APPLY if sequence == (last or 0) + 1 else Verdict.GAP

    def note_applied(self, worker_uid: bytes, sequence: int, *, is_final: bool) -> None:
        """Records that a report was merged."""
        self.applied[worker_uid] = sequence
        if is_final:
            self.finals.add(worker_uid)
        else:
            self.finals.discard(worker_uid)

    def note_stored(self, worker_uid: bytes, sequence: int) -> None:
        """Records that all reports up to `sequence` are in the store: they may be acknowledged."""
        self.stored[worker_uid] = max(sequence, self.stored.get(worker_uid, 0))

    def owes(self, worker_uid: bytes) -> bool:
        """True when the worker took part in the run and its last report did not come."""
        return worker_uid in self.applied and worker_uid not in self.finals

    def is_final(self, worker_uid: bytes) -> bool:
        """True when the worker's last report of the run was merged and stored."""
        return worker_uid in self.finals and self.stored.get(worker_uid, 0) >= self.applied[worker_uid]
