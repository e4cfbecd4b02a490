"""Numbers the reports of a run, and says when the agent has enough of them in hand.

Nothing is sent again over this link: it loses nothing while both ends live, and with either end the samples
are gone. So only numbers are kept here, not reports; the agent keeps what the master has not stored.

Pure: no clock, no I/O.
"""

from __future__ import annotations

from locust_protocol.limits import MAX_UNACKED_DELTAS


class ReportWindow:
    """The sequence of one run's reports."""

    def __init__(self, run_id: bytes = b"") -> None:
        """An empty `run_id` stands for no run: its reports have no number."""
        self.run_id = run_id
        self._last_sequence = 0
        self._accepted_sequence = 0
        self.is_limit_told = False
        """Whether a report has said that there are too many names."""

    @property
    def is_full(self) -> bool:
        """Whether samples have to wait; they go into the next report then."""
        return self._last_sequence - self._accepted_sequence >= MAX_UNACKED_DELTAS

    def next_sequence(self) -> int:
        """Number one more report."""
        self._last_sequence += 1
        return self._last_sequence

    def accept(self, run_id: bytes, sequence: int) -> None:
        """Note that reports up to `sequence` are merged; an answer about another run is ignored."""
        if run_id == self.run_id:
            self._accepted_sequence = max(self._accepted_sequence, min(sequence, self._last_sequence))
