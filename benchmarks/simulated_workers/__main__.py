"""`python -m benchmarks.simulated_workers`: the cost of 100, 300, 1,000 workers; a JSON line a case.

    python -m benchmarks.simulated_workers                  30 s a case
    python -m benchmarks.simulated_workers --workers 300    one case

Exit code 0 when every case meets the target of 1,000 workers, 1 when one does not, 2 for a wrong flag or a
machine that has no two cores.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.cores import two_cores
from benchmarks.simulated_workers.case import Case, as_line, run_case

WORKERS = (100, 300, 1_000)


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.simulated_workers")
    parser.add_argument("--workers", type=int, action="append", help="workers of a case, instead of all")
    parser.add_argument("--window", type=float, default=30.0, help="seconds that are measured")
    parser.add_argument("--insecure", action="store_true", help="neither encryption nor tokens")
    options = parser.parse_args()
    cores = two_cores()
    if isinstance(cores, str):
        print(cores, file=sys.stderr)
        return 2
    meets = True
    for workers in options.workers or WORKERS:
        measured = run_case(Case(workers, window_s=options.window, is_insecure=options.insecure), cores=cores)
        print(as_line(measured), flush=True)
        meets = meets and measured.meets_target
    return 0 if meets else 1


if __name__ == "__main__":
    sys.exit(main())
