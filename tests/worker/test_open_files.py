"""Users that cannot each have a connection are said before they fail."""

from __future__ import annotations

from locust_protocol.schedule import Span, UserSchedule
from locust_worker.open_files import SPARE_DESCRIPTORS, peak_users, shortage

HILL = UserSchedule("A", 1, (Span(0, 10, 99, 1), Span(2_000, 10, 99, -1)))


def test_peak_is_found_in_the_middle_of_a_plan() -> None:
    """A run that ends with none had its most users before; classes add up."""
    assert peak_users([HILL]) == 100
    assert peak_users([HILL, UserSchedule("B", 7, ())]) == 107
    assert peak_users([]) == 0


def test_shortage_is_said_from_the_first_user_without_a_connection() -> None:
    """It names the limit and what to do."""
    assert shortage([(HILL,), ()], 100 + SPARE_DESCRIPTORS) == ""
    sentence = shortage([(HILL,), ()], 99 + SPARE_DESCRIPTORS)
    assert "100 users" in sentence
    assert "163 files" in sentence
    assert "LimitNOFILE" in sentence
    assert shortage([], 0) == ""
