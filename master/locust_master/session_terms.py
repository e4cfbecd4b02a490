"""The terms of all sessions of this life of the master, and how often workers are told to report.

Changes of the interval are told to every open session at once; nothing here decides what the interval is.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from locust_master.admission import SessionTerms, session_settings
from locust_master.mailboxes import Mailboxes
from locust_master.membership import Membership
from locust_master.report_pace import ReportPace

logger = logging.getLogger(__name__)


class PacedTerms:
    """What every session is told, and the pace of reports in it."""

    def __init__(
        self, membership: Membership, mailboxes: Mailboxes, *, lease_ttl_s: float, report_interval_s: float
    ) -> None:
        self.now = SessionTerms(
            master_epoch=time.time_ns(), lease_ttl_s=lease_ttl_s, report_interval_s=report_interval_s
        )
        self._membership = membership
        self._mailboxes = mailboxes
        self._pace = ReportPace(shortest_s=report_interval_s, lease_ttl_s=lease_ttl_s)

    @property
    def suspect_after_s(self) -> float:
        """Seconds of silence after which a worker is shown as missing."""
        return self._pace.suspect_after_s

    def note_workers(self, workers: int) -> None:
        """Notes how many workers there are."""
        self._pace.note_workers(workers)
        self._follow_pace()

    def note_lateness(self, late_s: float, now_s: float) -> None:
        """Notes how late the master's loop woke."""
        if self._pace.note_lateness(late_s, now_s):
            logger.warning("the master does not keep up, figures come late: give it a core of its own")
        self._follow_pace()

    def _follow_pace(self) -> None:
        if (interval_s := self._pace.interval_s) != self.now.report_interval_s:
            logger.info("workers report every %g s from now on", interval_s)
            self.now = replace(self.now, report_interval_s=interval_s)
            self._membership.set_suspect_after(self._pace.suspect_after_s)
            self._mailboxes.put_settings(session_settings(interval_s))
