"""A run of a side: options, isolation and honest failure, with a stand-in for the load generator."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from benchmarks.cores import Cores, two_cores
from benchmarks.generator import Generator, Load, RunFailed, run

CORES = two_cores()

pytestmark = pytest.mark.skipif(isinstance(CORES, str), reason=str(CORES))

LOAD = Load(locustfile=Path("/get.py"), user_class="FastGet", url="http://127.0.0.1:1", run_time_s=1)

ENTRIES = [{"num_requests": 50, "num_failures": 0, "start_time": 10.0, "last_request_timestamp": 20.0}]


def stand_in(code: str) -> Generator:
    return Generator(name="stand-in", argv=lambda: [sys.executable, "-c", code])


def run_on_first_core(code: str) -> float:
    assert isinstance(CORES, Cores)
    return run(stand_in(code), LOAD, core=CORES.generator).rate_per_s


def test_run_reads_the_rate_from_the_json() -> None:
    """Both sides print the same list."""
    assert run_on_first_core(f"print({json.dumps(ENTRIES)!r})") == 5.0


def test_run_gives_both_sides_one_core_and_no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's LOCUST_USERS would change one side and not the other."""
    assert isinstance(CORES, Cores)
    before = os.sched_getaffinity(0)
    monkeypatch.setenv("LOCUST_USERS", "1")
    code = f"""
import os, sys
assert os.sched_getaffinity(0) == {{{CORES.generator}}}, os.sched_getaffinity(0)
assert "LOCUST_USERS" not in os.environ
assert os.listdir() == [] and os.path.samefile(os.environ["HOME"], os.getcwd())
assert sys.argv[-1] == "FastGet" and "--json" in sys.argv
print({json.dumps(ENTRIES)!r})
"""
    assert run_on_first_core(code) == 5.0
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise SystemExit('out of luck')", r"(?s)exit code 1.*out of luck"),
        ("print('no json')", "no usable --json"),
        ("print('[]')", "0 requests"),
    ],
)
def test_run_fails_with_the_last_words_when_there_is_no_result(code: str, reason: str) -> None:
    """A measurement that went wrong is not a slow one."""
    with pytest.raises(RunFailed, match=reason):
        run_on_first_core(code)
