"""What cannot be measured is skipped by name, with the reason; it is neither an error nor silence."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.comparison import Measurement, Skipped
from benchmarks.cores import Cores
from benchmarks.real_locust import LocustUnavailable, locust_program
from benchmarks.requests_per_second import COMPARISONS, Effort, measure

from benchmarks import nginx, requests_per_second


def measure_all() -> list[Measurement]:
    effort = Effort(rounds=1, run_time_s=1)
    return list(measure(COMPARISONS, effort=effort, locust_on_both_sides=False))


def test_each_comparison_is_skipped_by_name_when_there_is_no_nginx(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target in Python would hide the ratio, so none takes its place."""
    monkeypatch.setattr(requests_per_second, "two_cores", lambda: Cores(generator=0, target=1))
    monkeypatch.setattr(nginx, "find_nginx", lambda: None)
    assert measure_all() == [Skipped(name=c.name, skipped="nginx not found") for c in COMPARISONS]


def test_each_comparison_is_skipped_by_name_when_cores_cannot_be_kept_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On one core the target takes from the generator what is to be measured."""
    monkeypatch.setattr(requests_per_second, "two_cores", lambda: "1 core here")
    assert measure_all() == [Skipped(name=c.name, skipped="1 core here") for c in COMPARISONS]


def test_locust_program_is_taken_from_the_virtualenv_that_is_named(tmp_path: Path) -> None:
    """Whoever has one need not download another."""
    program = tmp_path / "bin" / "locust"
    program.parent.mkdir()
    program.touch()
    assert locust_program({"LOCUST_VENV": str(tmp_path)}) == program


def test_locust_program_is_unavailable_when_the_named_virtualenv_lacks_it(tmp_path: Path) -> None:
    """A typing error must not start a download."""
    with pytest.raises(LocustUnavailable, match=r"LOCUST_VENV=.* has no bin/locust"):
        locust_program({"LOCUST_VENV": str(tmp_path)})
