"""What is reported of a run whose run time was over before its master came back."""

from __future__ import annotations

from dataclasses import replace

from locust_master.lifecycle import RunState
from locust_master.resuming.cut_off import lacking
from locust_master.store.facts import ReportMark, StoredRun, Written
from tests.master.cluster_builders import SECOND_NS, START_NS, registration, uid_of
from tests.master.test_resumed_cluster import stored_run


def cut_off(*numbers: int) -> StoredRun:
    """A run of 30 s whose master was there until 20 s, and heard its workers at 19 s."""
    stored = stored_run(*map(registration, numbers), state=RunState.RUNNING)
    progress = replace(stored.progress, deadline_us=30_000_000)
    return replace(stored, progress=progress, written=Written(0, START_NS + 20 * SECOND_NS, "boot"))


AWAY = "the master was away from 20 s on, and the run time ended at 30 s"


def test_report_says_since_when_and_how_much_is_missing() -> None:
    """From the last report, and a flush of the runners before it, to the end of the run time."""
    assert lacking(cut_off(1)) == f"{AWAY}: up to 11250 ms of samples of first0 are missing"
    assert lacking(cut_off(1, 2)).endswith("of samples of each of first0, first1 are missing")
    assert lacking(cut_off(1, 2, 3, 4)).endswith("of samples of each of 4 workers are missing")


def test_worker_that_had_ended_lacks_nothing() -> None:
    """Its final report is in the store."""
    stored = replace(cut_off(1), reports={uid_of(1): ReportMark(9, True, 19_000)})
    assert lacking(stored) == AWAY


def test_worker_that_never_reported_lacks_all() -> None:
    """The bound must hold for it, too."""
    assert "up to 30250 ms" in lacking(replace(cut_off(1), reports={}))
