"""A stop that meets a request: it waits, and what it cuts is counted once, as interrupted.

With real users in a patched process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.http.target import serving

CASES: dict[str, tuple[list[Any], list[Any]]] = {
    "named": ([], [["GET", "a name"]]),
    "unnamed": ([], [["GET", "/slow/unnamed"]]),
    "redirected": ([], [["GET", "redirected"]]),
    "answered": ([["GET", "/slow/answered", None]], []),
    "block": ([], [["GET", "/ok"]]),
    "verdict": ([["GET", "/ok", "CatchResponseError('said')"]], []),
    "connecting": ([], []),
}
"""By scenario: what is recorded as a request, and what as interrupted."""


@pytest.mark.parametrize("kind", ["requests", "fast"])
def test_stop_counts_what_it_meets_exactly_once(kind: str) -> None:
    """On the wire: waited for, then interrupted. Not sent yet: never happened. Decided: recorded."""
    with serving() as target:
        finished = subprocess.run(
            [sys.executable, "-m", "tests.runtime.http.interrupted_user", kind, target.url],
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout) == {
        scenario: {"recorded": recorded, "interrupted": interrupted, "in_flight": 0, "ended": True}
        for scenario, (recorded, interrupted) in CASES.items()
    }
