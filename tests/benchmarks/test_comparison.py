"""The arithmetic of a comparison: what a ratio and its spread are, and what is no result at all."""

from __future__ import annotations

import pytest
from benchmarks.comparison import Sample, compare, rate_from_entries, ratio_of


def sample(rate_per_s: float, core_share: float = 1.0) -> Sample:
    return Sample(rate_per_s=rate_per_s, core_share=core_share)


def entry(**changes: object) -> dict[str, object]:
    return {
        "num_requests": 10,
        "num_failures": 0,
        "start_time": 100.0,
        "last_request_timestamp": 105.0,
        **changes,
    }


def test_compare_runs_the_sides_in_turns() -> None:
    """A machine that slows down during the comparison must slow both sides."""
    order: list[str] = []

    def side(name: str, rate_per_s: float) -> Sample:
        order.append(name)
        return sample(rate_per_s)

    ratio = compare("get", ours=lambda: side("A", 40), theirs=lambda: side("B", 10), rounds=3, bar=4.0)
    assert "".join(order) == "ABABAB"
    assert (ratio.ratio, ratio.meets_bar, ratio.rounds) == (4.0, True, 3)


def test_ratio_is_the_median_of_the_rounds_with_its_extremes() -> None:
    """One disturbed round moves the spread, not the result."""
    pairs = [(sample(30), sample(10)), (sample(50), sample(10)), (sample(4), sample(10))]
    ratio = ratio_of("get", pairs, bar=3.5)
    assert (ratio.ratio_min, ratio.ratio, ratio.ratio_max) == (0.4, 3.0, 5.0)
    assert (ratio.ours_per_s, ratio.theirs_per_s) == (30, 10)
    assert not ratio.meets_bar


@pytest.mark.parametrize(("share", "disturbed"), [(0.79, True), (0.8, False)])
def test_ratio_is_called_disturbed_when_a_side_did_not_get_its_core(share: float, disturbed: bool) -> None:
    """Whoever reads the number must know that it was taken on a busy machine."""
    assert ratio_of("get", [(sample(2), sample(1, share))], bar=1).disturbed is disturbed


def test_rate_runs_from_the_earliest_start_to_the_last_request_of_all_entries() -> None:
    """Entries begin when their first request does."""
    entries = [entry(), entry(num_requests=30, start_time=103.0, last_request_timestamp=108.0)]
    assert rate_from_entries(entries) == 5.0


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([], "0 requests"),
        ([entry(num_failures=1)], "1 failures"),
        ([entry(last_request_timestamp=100.0)], "no time passed"),
        ([entry(start_time=None)], "start_time is None"),
    ],
)
def test_rate_is_refused_when_it_would_mean_nothing(entries: list[dict[str, object]], reason: str) -> None:
    """A failed request is cheap: counting it would make an error look fast."""
    with pytest.raises(ValueError, match=reason):
        rate_from_entries(entries)
