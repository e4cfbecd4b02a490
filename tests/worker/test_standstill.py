"""Standing still is told from being slow, and from nothing at all."""

from __future__ import annotations

import pytest

from locust_worker.standstill import Gap, Moment, gap

START = Moment(monotonic_s=100.0, boot_s=500.0, cpu_s=3.0)


def later(monotonic_s: float, boot_s: float, cpu_s: float) -> Moment:
    return Moment(100.0 + monotonic_s, 500.0 + boot_s, 3.0 + cpu_s)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(later(0.1, 0.1, 0.01), Gap(), id="a tick"),
        pytest.param(later(0.9, 0.9, 0.0), Gap(), id="a crowded machine"),
        pytest.param(later(5.0, 5.0, 0.0), Gap(still_s=5.0), id="stopped, or a paused virtual machine"),
        pytest.param(later(0.0, 60.0, 0.0), Gap(still_s=60.0, unseen_s=60.0), id="suspended"),
        pytest.param(later(1.5, 1.5, 1.4), Gap(late_s=1.5), id="busy with one thing"),
        pytest.param(later(5.0, 5.0, 4.0), Gap(late_s=5.0), id="busy for long"),
        pytest.param(later(0.0, 0.0, 0.0), Gap(), id="no time at all"),
    ],
)
def test_gap_between_two_looks(now: Moment, expected: Gap) -> None:
    """CPU that was used tells slow from stopped, the two clocks tell suspended."""
    found = gap(START, now)
    assert found.still_s == pytest.approx(expected.still_s)
    assert found.unseen_s == pytest.approx(expected.unseen_s)
    assert found.late_s == pytest.approx(expected.late_s)
