"""Numbers of reports, and when the agent has enough of them."""

from __future__ import annotations

from locust_protocol.limits import MAX_UNACKED_DELTAS
from locust_runtime.run.report_window import ReportWindow

RUN = b"r" * 16


def test_window_is_full_until_a_report_is_accepted() -> None:
    """At most four are under way."""
    window = ReportWindow(RUN)
    numbers = []
    while not window.is_full:
        numbers.append(window.next_sequence())
    assert numbers == list(range(1, MAX_UNACKED_DELTAS + 1))
    window.accept(RUN, 1)
    assert not window.is_full


def test_window_ignores_answers_about_other_runs_and_about_reports_that_were_not_sent() -> None:
    """A late answer about the run before must not open this one's window."""
    window = ReportWindow(RUN)
    for _ in range(MAX_UNACKED_DELTAS):
        window.next_sequence()
    window.accept(b"s" * 16, MAX_UNACKED_DELTAS)
    assert window.is_full
    window.accept(RUN, 1_000_000)
    for _ in range(MAX_UNACKED_DELTAS):
        window.next_sequence()
    assert window.is_full
