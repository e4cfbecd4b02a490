"""Users start when they are due, each on the worker whose turn it is, as the target sees it.

A busy machine may make a user late, but never early; and what is out of order is bounded by who is late. So
the laws hold on any machine, and only the median has a limit in time.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from statistics import median

import pytest
from benchmarks.spawn_times import ours
from benchmarks.spawn_times.arrivals import Arrival
from benchmarks.spawn_times.lateness import NS_PER_MS, NS_PER_S, errors_ms
from benchmarks.spawn_times.mix import mix_errors
from benchmarks.spawn_times.scenario import WEIGHTS, Observation, Scenario
from benchmarks.spawn_times.witness import watching

pytestmark = pytest.mark.end_to_end

RATE = Fraction(4)
WORKERS = 3

MEDIAN_LIMIT_MS = 50.0
"""Twenty times what an idle machine needs, a fifth of the time between two users."""

TRUNCATION_MS = 1.0
"""Due times are whole microseconds, and clocks of one machine agree to less than this."""


@pytest.fixture(scope="module")
def ramp(tmp_path_factory: pytest.TempPathFactory) -> Observation:
    """28 users of three classes at 4/s: fewer a second than there are workers and seconds."""
    scenario = Scenario("ramp", workers=WORKERS, runners=1, users=28, spawn_rate=RATE)
    with watching() as witness:
        return ours.observe(scenario, witness, tmp_path_factory.mktemp("ramp"), ramp_down=False)


def overdue_users(ramp: Observation, arrivals: list[Arrival]) -> int:
    """Users that were due when the last of `arrivals` came and are not among them."""
    assert ramp.start is not None
    latest_start_ns = ramp.start.at_ns - ramp.start.error_ns
    due = int((arrivals[-1].at_ns - latest_start_ns) * RATE / NS_PER_S) + 1
    return max(0, min(due, len(ramp.starts)) - len(arrivals))


def test_users_start_when_they_are_due_and_never_before(ramp: Observation) -> None:
    """The k-th user at k / rate, whichever worker it is on."""
    assert ramp.start is not None
    errors = errors_ms([each.at_ns for each in ramp.starts], start_ns=ramp.start.at_ns, spawn_rate=RATE)
    assert len(errors) == 28
    assert min(errors) > -(ramp.start.error_ns / NS_PER_MS + TRUNCATION_MS), errors
    assert median(errors) < MEDIAN_LIMIT_MS, errors


def test_class_mix_is_less_than_one_user_off_at_every_moment_of_the_ramp(ramp: Observation) -> None:
    """Also with fewer users than workers, and fewer than classes."""
    for prefix, error in enumerate(mix_errors(ramp.starts, WEIGHTS), start=1):
        assert error.error_users < 1 + overdue_users(ramp, ramp.starts[:prefix]), ramp.starts[:prefix]


def test_workers_have_the_same_number_of_users_at_every_moment_of_the_ramp(ramp: Observation) -> None:
    """One user more or less is all that may be between any two."""
    by_worker = Counter(dict.fromkeys(range(WORKERS), 0))
    for prefix, arrival in enumerate(ramp.starts, start=1):
        by_worker[arrival.worker] += 1
        spread = max(by_worker.values()) - min(by_worker.values())
        assert spread <= 1 + overdue_users(ramp, ramp.starts[:prefix]), ramp.starts[:prefix]
