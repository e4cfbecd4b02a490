"""Plays many seeds: `python -m tests.simulation --seeds 100000`. A seed that breaks a law is printed."""

from __future__ import annotations

import argparse
import sys
import time
import traceback

from tests.simulation.scenario import play


def main() -> int:
    """Plays the seeds that were asked for; returns 1 when one broke a law."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seconds", type=float, default=20.0, help="virtual seconds of blows")
    parser.add_argument("--keep-going", action="store_true", help="go on after a seed that broke a law")
    options = parser.parse_args()
    began_s, broken, virtual_s = time.monotonic(), [], 0.0
    for seed in range(options.first, options.first + options.seeds):
        try:
            virtual_s += play(seed, seconds=options.seconds).loop.time()
        except Exception as error:
            broken.append(seed)
            print(f"seed {seed}: {error if isinstance(error, AssertionError) else traceback.format_exc()}\n")
            if not options.keep_going:
                break
    took_s = time.monotonic() - began_s
    print(f"{options.seeds} seeds, {virtual_s:.0f} virtual s in {took_s:.1f} s; broken: {broken or 'none'}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
