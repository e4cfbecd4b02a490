"""What the run itself says was lost: read from the run's file, which outlives its masters."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from tests.chaos.accounts import Death

OF_RUNNER = "runner"
OF_WORKER = ("worker", "last report")

_LOSSES = "SELECT worker, missing_ms, kind FROM losses WHERE until_ms IS NULL ORDER BY loss_id"


@dataclass(frozen=True, slots=True)
class Declared:
    """One loss in the run's file."""

    worker: str
    missing_ms: int
    kind: str


def read_declared(run_file: Path) -> list[Declared]:
    """All losses of a run, in the order in which they were declared; workers that came back had none."""
    with closing(sqlite3.connect(f"{run_file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        rows = connection.execute(_LOSSES).fetchall()
    return [Declared(*row) for row in rows]


def with_declarations(deaths: Sequence[Death], declared: Sequence[Declared]) -> tuple[list[Death], list[str]]:
    """Gives each death what was declared for it; also returns what does not add up, a sentence each.

    Deaths of one worker's runners are declared in the order in which they happened.
    """
    rest = list(declared)
    matched = []
    for death in sorted(deaths, key=lambda each: each.at_s):
        kinds = OF_WORKER if death.is_worker else (OF_RUNNER,)
        found = next((each for each in rest if each.worker == death.worker and each.kind in kinds), None)
        if found is not None:
            rest.remove(found)
        matched.append(replace(death, declared_ms=None if found is None else found.missing_ms))
    complaints = [
        f"a loss was declared that nothing caused: {each.missing_ms} ms of a {each.kind} of {each.worker}"
        for each in rest
        if each.kind == OF_RUNNER
    ]
    return matched, complaints
