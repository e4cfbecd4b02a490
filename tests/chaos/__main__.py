"""`python -m tests.chaos`: break everything, compare with the target's count, print what it came to.

    python -m tests.chaos                   about 9 minutes: 100 cuts, 20 runner kills, 5 master kills, …
    python -m tests.chaos --short           about a minute
    python -m tests.chaos --seed 7          the faults of another seed

Exit code 0 when every promise was kept, 1 when one was broken, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import dataclasses
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos.bench import FULL, SHORT, Load, run_bench
from tests.chaos.printing import json_line, table

FULL_LOAD = Load(users=40, spawn_rate=10.0, pacing_s=0.25)
SHORT_LOAD = Load(users=12, spawn_rate=12.0, pacing_s=0.1)


def main(argv: list[str] | None = None) -> int:
    options = _parse(argv)
    # SIGTERM must unwind the stack like Ctrl-C does: on the way the processes are ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    extent, load = (SHORT, SHORT_LOAD) if options.short else (FULL, FULL_LOAD)
    if options.master_kills is not None:
        extent = dataclasses.replace(extent, master_kills=options.master_kills)
    with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        outcome = run_bench(folder, extent, load, seed=options.seed)
    print(table(outcome), flush=True)
    print(json_line(outcome), flush=True)
    return 0 if outcome.is_good else 1


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chaos", description="Run a load test while everything breaks.")
    parser.add_argument("--seed", type=int, default=1, help="of the faults (default %(default)s)")
    parser.add_argument("--short", action="store_true", help="a part of it, in about a minute")
    parser.add_argument("--master-kills", type=int, help="another number of them")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep run files and logs there")
    return parser.parse_args(argv)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
