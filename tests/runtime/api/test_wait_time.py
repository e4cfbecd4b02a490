"""Wait times: what each function of `wait_time` gives."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_runtime import wait_time


class Waiting:
    _cp_last_run = 0.0
    _cp_last_wait_time = 0.0


@given(low=st.floats(0, 100), span=st.floats(0, 100))
def test_between_stays_between(low: float, span: float) -> None:
    """Both ends hold."""
    seconds = wait_time.between(low, low + span)(None)
    assert low <= seconds <= low + span


def test_constant_is_constant() -> None:
    """No surprise."""
    assert wait_time.constant(3)(None) == 3


def paced(pace: Any, monkeypatch: pytest.MonkeyPatch, moments: list[float]) -> list[float]:
    """The waits of an instance whose tasks end at these moments; each wait is taken in full."""
    instance = Waiting()
    waits = []
    for moment in moments:
        monkeypatch.setattr(wait_time, "perf_counter", lambda moment=moment: moment)
        waits.append(pace(instance))
    return waits


def test_constant_pacing_waits_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks of 4, 12 and 1 seconds at a pace of 10: wait 6, 0 and 9."""
    waits = paced(wait_time.constant_pacing(10), monkeypatch, [4, 10 + 12, 22 + 1])
    assert waits == [6, 0, 9]


def test_constant_throughput_is_pacing_by_the_inverse(monkeypatch: pytest.MonkeyPatch) -> None:
    """0.1 per second is one each 10 seconds."""
    assert paced(wait_time.constant_throughput(0.1), monkeypatch, [4]) == [6]


@pytest.mark.parametrize("factory", [wait_time.constant_throughput, wait_time.poisson])
@pytest.mark.parametrize("rate", [0, -1])
def test_rates_must_be_positive(factory: Any, rate: float) -> None:
    """At declaration, not at the first wait."""
    with pytest.raises(ValueError, match="positive rate"):
        factory(rate)


def test_poisson_has_the_mean_of_its_rate() -> None:
    """Mean 1/rate over many draws, with a fixed seed."""
    random.seed(7)
    wait = wait_time.poisson(4)
    mean = sum(wait(None) for _ in range(20_000)) / 20_000
    assert mean == pytest.approx(0.25, rel=0.03)
