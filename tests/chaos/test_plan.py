"""The faults are drawn from the seed alone, and as many as were asked for."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.chaos.bench import FULL, SHORT
from tests.chaos.plan import Extent, ProcessFault, network_plan, process_plan
from tests.support.chaos_proxy import Cut, Refuse


@pytest.mark.parametrize("extent", [FULL, SHORT], ids=["full", "short"])
def test_plans_hold_what_was_asked_for_in_order_of_time(extent: Extent) -> None:
    """A bench that forgets a fault proves less than it says."""
    network, processes = network_plan(extent, seed=3), process_plan(extent, seed=3)
    assert sum(isinstance(step.fault, Cut | Refuse) for step in network) == extent.cuts
    assert len(network) == extent.cuts + extent.other_network_faults + extent.long_hangs
    kinds = Counter(step.kind for step in processes)
    assert kinds[ProcessFault.KILL_RUNNER] == extent.runner_kills
    assert kinds[ProcessFault.KILL_MASTER] == extent.master_kills
    assert [step.users for step in processes if step.users] == [users for users, _ in extent.edits]
    for times in ([step.at_s for step in network], [step.at_s for step in processes]):
        assert times == sorted(times)
        assert 0 <= times[0] <= times[-1] <= extent.seconds


def test_plans_are_the_seed_alone() -> None:
    """A fault that was found once is found again."""
    assert network_plan(FULL, seed=5) == network_plan(FULL, seed=5) != network_plan(FULL, seed=6)
    assert process_plan(FULL, seed=5) == process_plan(FULL, seed=5) != process_plan(FULL, seed=6)


def test_runners_are_killed_in_turn() -> None:
    """Three crashes of one runner within a minute would leave it dead."""
    kills = [step for step in process_plan(FULL, seed=1) if step.kind is ProcessFault.KILL_RUNNER]
    victims = Counter((step.seat, step.slot) for step in kills)
    assert max(victims.values()) - min(victims.values()) <= 1
    assert len(victims) == FULL.workers * FULL.runners
