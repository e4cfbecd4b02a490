"""The fault bench in short: lines cut and spoilt, a runner and the master killed, the count still exact."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.bench import SHORT, Load, run_bench
from tests.chaos.printing import table

pytestmark = pytest.mark.end_to_end

SEED = 1


def test_nothing_is_lost_or_counted_twice_whatever_dies(tmp_path: Path) -> None:
    """What died in the killed runner aside, and that was declared; `make chaos` is the long form."""
    outcome = run_bench(tmp_path, SHORT, Load(users=12, spawn_rate=12.0, pacing_s=0.1), seed=SEED)
    print(table(outcome))
    assert outcome.complaints == (), f"seed {SEED}"
    assert outcome.accounts.served > 500
