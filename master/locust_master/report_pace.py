"""How often workers report: once a second, less often when there are many or the master cannot keep up.

Pure; `now_s` is any monotonic time in seconds.
"""

from __future__ import annotations

from locust_protocol.limits import LEASE_TTL_S, REPORT_INTERVAL_S

SLOWER_ABOVE = ((300, 2.0), (700, 3.0))
"""Workers above which the interval is so many times the shortest one."""

MAX_REPORT_INTERVAL_S = 3.0
"""Seconds between two reports at most: a lease of 10 s then outlives two of them that are late."""

LATE_S = 0.2
"""Seconds by which the master's loop may wake late; beyond it, it does not keep up."""

SLOWER_AFTER_S = 5.0
"""Seconds of lateness after which workers are asked to report less often."""

FASTER_AFTER_S = 30.0
"""Seconds without lateness after which that is taken back."""

SUSPECT_REPORTS = 2
"""Reports that may be missing until a worker is shown as silent."""

SUSPECT_SLACK_S = 1.5


class ReportPace:
    """The interval that all workers are told."""

    def __init__(self, *, shortest_s: float = REPORT_INTERVAL_S, lease_ttl_s: float = LEASE_TTL_S) -> None:
        self._shortest_s = shortest_s
        # A short lease, as tests have it, must outlive reports that are late, too.
        self._longest_s = max(shortest_s, min(MAX_REPORT_INTERVAL_S, lease_ttl_s / 3))
        self._workers = 0
        self._slower = 1.0
        self._late_since_s: float | None = None
        self._calm_since_s: float | None = None

    @property
    def interval_s(self) -> float:
        """Seconds between two reports of a worker."""
        times = max([1.0, *(factor for above, factor in SLOWER_ABOVE if self._workers > above)])
        return min(self._shortest_s * times * self._slower, self._longest_s)

    @property
    def suspect_after_s(self) -> float:
        """Seconds of silence after which a worker is shown as missing."""
        return SUSPECT_REPORTS * self.interval_s + SUSPECT_SLACK_S

    def note_workers(self, workers: int) -> None:
        """Notes how many workers there are."""
        self._workers = workers

    def note_lateness(self, late_s: float, now_s: float) -> bool:
        """Notes how late the master's loop woke; true when it just became too much for too long."""
        if late_s > LATE_S:
            self._calm_since_s = None
            self._late_since_s = now_s if self._late_since_s is None else self._late_since_s
            if now_s - self._late_since_s + late_s >= SLOWER_AFTER_S:
                self._late_since_s = now_s
                was_slower, self._slower = self._slower, min(self._slower * 2, MAX_REPORT_INTERVAL_S)
                return was_slower == 1.0
            return False
        self._calm_since_s = now_s if self._calm_since_s is None else self._calm_since_s
        calm_s = now_s - self._calm_since_s
        # One wake-up in time between late ones is no recovery.
        if calm_s >= 1.0:
            self._late_since_s = None
        if calm_s >= FASTER_AFTER_S and self._slower > 1.0:
            self._slower, self._calm_since_s = max(1.0, self._slower / 2), now_s
        return False
