"""`python -m benchmarks`: measure, print one JSON line a measurement, keep them in benchmarks/results/.

    python -m benchmarks                 median of 5 rounds, 6 s a run
    python -m benchmarks --quick         median of 3 rounds, 3 s a run
    python -m benchmarks --self-check    Locust against itself: how noisy is this machine?

Exit code 0 when everything was measured or skipped, 1 when a measurement failed, 2 for a wrong flag,
130 when interrupted.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import signal
import sys
from pathlib import Path

from benchmarks.comparison import Failed, Measurement, as_line
from benchmarks.requests_per_second import COMPARISONS, Effort, measure

RESULTS = Path(__file__).parent / "results"

FULL = Effort(rounds=5, run_time_s=6)
QUICK = Effort(rounds=3, run_time_s=3)


def main(argv: list[str] | None = None) -> int:
    options = _parse(argv)
    # SIGTERM must unwind the stack like Ctrl-C does: on the way the processes are ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    chosen = [comparison for comparison in COMPARISONS if options.only in (None, comparison.name)]
    effort = QUICK if options.quick else FULL
    results = RESULTS / _file_name(quick=options.quick, self_check=options.self_check)
    failed = False
    for measurement in measure(chosen, effort=effort, locust_on_both_sides=options.self_check):
        line = {**as_line(measurement), "run_time_s": effort.run_time_s}
        print(json.dumps(line), flush=True)
        _keep(results, measurement, line)
        failed = failed or isinstance(measurement, Failed)
    return 1 if failed else 0


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure beside real Locust.")
    names = [comparison.name for comparison in COMPARISONS]
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--only", choices=names, help="one measurement instead of all")
    parser.add_argument("--self-check", action="store_true", help="real Locust on both sides")
    return parser.parse_args(argv)


def _file_name(*, quick: bool, self_check: bool) -> str:
    kinds = [name for name, chosen in (("quick", quick), ("self-check", self_check)) if chosen]
    return "-".join([datetime.date.today().isoformat(), *kinds]) + ".json"


def _keep(results: Path, measurement: Measurement, line: dict[str, object]) -> None:
    """Put `line` into the file of the day, in place of an earlier one of the same name."""
    kept = json.loads(results.read_text()) if results.is_file() else {"measurements": {}}
    kept["machine"] = _machine()
    kept["measurements"][measurement.name] = line
    results.parent.mkdir(exist_ok=True)
    unfinished = results.with_suffix(".partial")
    unfinished.write_text(json.dumps(kept, indent=2) + "\n")
    unfinished.replace(results)


def _machine() -> dict[str, object]:
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # by now every process that was started has been ended
        sys.exit(130)
