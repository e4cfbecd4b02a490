"""How often workers report: by their number, and by whether the master keeps up."""

from __future__ import annotations

import pytest

from locust_master.report_pace import LATE_S, ReportPace
from tests.master.cluster_builders import Fleet, registration, report


@pytest.mark.parametrize(
    ("workers", "interval_s"),
    [(0, 1), (1, 1), (300, 1), (301, 2), (700, 2), (701, 3), (1_000, 3), (4_000, 3)],
)
def test_interval_follows_the_number_of_workers(workers: int, interval_s: float) -> None:
    """The master takes about 300 reports a second, whatever the number of workers."""
    pace = ReportPace()
    pace.note_workers(workers)
    assert pace.interval_s == interval_s


def test_interval_stays_far_below_a_short_lease() -> None:
    """A lease ends when no report was acknowledged in time, so it must outlive some."""
    pace = ReportPace(lease_ttl_s=4.5)
    pace.note_workers(1_000)
    assert pace.interval_s == 1.5


def test_master_that_does_not_keep_up_is_told_less_until_it_does() -> None:
    """A loop that is late for five seconds doubles the interval; when it was calm for long that is over."""
    pace, said = ReportPace(), 0
    for tick in range(12):
        said += pace.note_lateness(LATE_S + 0.1, tick * 0.5)
    assert (pace.interval_s, said) == (2.0, 1)
    for tick in range(120):
        pace.note_lateness(LATE_S + 0.1, 6 + tick * 0.5)
    assert pace.interval_s == 3.0
    for tick in range(2_000):
        pace.note_lateness(0.0, 66 + tick * 0.1)
    assert pace.interval_s == 1.0


def test_short_stalls_change_nothing() -> None:
    """A pause of the garbage collector is no overload."""
    pace = ReportPace()
    for second in range(60):
        pace.note_lateness(0.4, second * 5)
        for tick in range(1, 45):
            pace.note_lateness(0.0, second * 5 + tick * 0.1)
    assert pace.interval_s == 1.0


def test_live_workers_are_told_when_their_number_crosses_a_bound() -> None:
    """Those that joined early would report too often for ever; the newest is told as it registers."""
    fleet = Fleet()
    first = fleet.join()
    for number in range(2, 302):
        answer = fleet.register(registration(number))
    assert answer.report_interval.ToTimedelta().total_seconds() == 2.0
    (settings,) = [each.settings for each in fleet.commands(first) if each.HasField("settings")]
    assert settings.report_interval.ToTimedelta().total_seconds() == 2.0
    assert first.suspect_after_s > 2 * 2.0


def test_nobody_is_lost_for_the_time_in_which_the_master_did_not_hear() -> None:
    """What is silent then is the master's own loop: reports wait in its sockets."""
    fleet = Fleet()
    member = fleet.join()
    fleet.tell(member, report(0))
    fleet.seconds = 30.0
    fleet.cluster.loop_was_late(29.0, fleet.now_ns)
    fleet.cluster.tick(fleet.now_ns)
    assert member.is_live
    fleet.seconds = 50.0
    fleet.cluster.loop_was_late(0.0, fleet.now_ns)
    fleet.cluster.tick(fleet.now_ns)
    assert not member.is_live
