"""`python -m benchmarks.spawn_times`: measure, print one JSON line a result, draw docs/figures.

    python -m benchmarks.spawn_times             all: some 8 minutes, on a machine that does nothing else
    python -m benchmarks.spawn_times --quick     shorter ramps; leaves docs/figures alone
    python -m benchmarks.spawn_times --only one_worker_500_per_s
    python -m benchmarks.spawn_times --draw      only draw again from docs/figures/spawn-times.csv

Exit code 0 when all was measured, 1 when a side failed or could not be had, 2 for a wrong flag.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

from benchmarks.real_locust import LocustUnavailable, locust_program
from benchmarks.spawn_times import figures, ours, theirs
from benchmarks.spawn_times.arrivals import Moment
from benchmarks.spawn_times.record import Start, from_csv, to_csv
from benchmarks.spawn_times.results import fitted_stops, starts_of, summary_of
from benchmarks.spawn_times.scenario import Observation, Scenario, SideFailed
from benchmarks.spawn_times.witness import watching

FIGURES = Path(__file__).parents[2] / "docs" / "figures"
ROWS = FIGURES / "spawn-times.csv"

ROUNDS = 3
"""Ramps of each side for the figures, in turns."""

MAX_REPEATS = 2
"""Times that a ramp which went wrong is made again: a worker that a crowded machine loses, for example."""

COMPARED = Scenario("ten_workers_2_per_s", workers=10, runners=1, users=84, spawn_rate=Fraction(2))

OURS_ALONE = (
    Scenario("two_workers_50_per_s", workers=2, runners=1, users=750, spawn_rate=Fraction(50)),
    Scenario("one_worker_500_per_s_2_runners", workers=1, runners=2, users=3000, spawn_rate=Fraction(500)),
    Scenario("one_worker_500_per_s", workers=1, runners=1, users=3000, spawn_rate=Fraction(500)),
)

QUICK_DIVISOR = 3
"""Quick ramps have a third of the users."""


def main(argv: list[str] | None = None) -> int:
    options = _parse(argv)
    # SIGTERM must unwind the stack like Ctrl-C does: on the way the processes are ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if options.draw:
        _draw(from_csv(ROWS.read_text()))
        return 0
    try:
        if options.only in (None, COMPARED.name):
            rows = _compare(_sized(COMPARED, options), rounds=1 if options.quick else ROUNDS)
            if not options.quick:
                FIGURES.mkdir(exist_ok=True)
                ROWS.write_text(to_csv(rows))
                _draw(rows)
        for scenario in OURS_ALONE:
            if options.only in (None, scenario.name):
                _observe_ours(_sized(scenario, options), number=1, ramp_down=True)
    except (LocustUnavailable, SideFailed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.spawn_times", description="When users start.")
    names = [scenario.name for scenario in (COMPARED, *OURS_ALONE)]
    parser.add_argument("--quick", action="store_true", help="shorter ramps, no figures")
    parser.add_argument("--only", choices=names, help="one measurement instead of all")
    parser.add_argument("--draw", action="store_true", help="measure nothing; draw the figures again")
    return parser.parse_args(argv)


def _sized(scenario: Scenario, options: argparse.Namespace) -> Scenario:
    return replace(scenario, users=scenario.users // QUICK_DIVISOR) if options.quick else scenario


def _compare(scenario: Scenario, *, rounds: int) -> list[Start]:
    """Both sides in turns (A B A B …), so that a drift of the machine meets both alike."""
    program = locust_program()
    rows: list[Start] = []
    for number in range(1, rounds + 1):
        rows += _repeated(partial(_observe_ours, scenario, number=number, ramp_down=False))
        rows += _repeated(partial(_observe_locust, program, scenario, number=number))
    for side in ("ours", "locust"):
        _print(scenario, side, "all rounds", [each for each in rows if each.side == side])
    return rows


def _repeated(observe: Callable[[], list[Start]]) -> list[Start]:
    for _ in range(MAX_REPEATS):
        try:
            return observe()
        except SideFailed as error:
            print(f"once more: {str(error).splitlines()[0]}", file=sys.stderr)
    return observe()


def _observe_ours(scenario: Scenario, *, number: int, ramp_down: bool) -> list[Start]:
    with watching() as witness, tempfile.TemporaryDirectory(prefix="spawn-times-") as folder:
        observed = ours.observe(scenario, witness, Path(folder), ramp_down=ramp_down)
    rows = _report("ours", scenario, observed, number=number)
    if ramp_down:
        stops = fitted_stops(observed.stops, scenario.spawn_rate)
        print(
            json.dumps({"name": scenario.name, "moment": Moment.STOPPED.value, **asdict(stops)}), flush=True
        )
    return rows


def _observe_locust(program: Path, scenario: Scenario, *, number: int) -> list[Start]:
    with watching() as witness, tempfile.TemporaryDirectory(prefix="spawn-times-") as folder:
        observed = theirs.observe(program, scenario, witness, Path(folder))
    return _report("locust", scenario, observed, number=number)


def _report(side: str, scenario: Scenario, observed: Observation, *, number: int) -> list[Start]:
    rows = starts_of(side, number, observed, scenario.spawn_rate)
    _print(scenario, side, f"round {number}", rows, busiest_runner=round(observed.busiest_runner, 2))
    return rows


def _print(scenario: Scenario, side: str, part: str, rows: list[Start], **more: float) -> None:
    line = {"name": scenario.name, "moment": Moment.STARTED.value, "side": side, "part": part}
    load = round(os.getloadavg()[0], 2)
    print(json.dumps({**line, **summary_of(rows), **more, "load_average": load}), flush=True)


def _draw(rows: list[Start]) -> None:
    try:
        drawn = figures.draw(rows, FIGURES)
    except ImportError:
        print("no figures: matplotlib is missing; pip install -e '.[bench]'", file=sys.stderr)
        return
    for path in drawn:
        print(f"drawn {path}", file=sys.stderr)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # by now every process that was started has been ended
        sys.exit(130)
