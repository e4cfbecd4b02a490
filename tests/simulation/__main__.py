"""Plays many seeds and says what came of them: `python -m tests.simulation --seeds 500`.

A seed that breaks a law is printed with all that was done in it, and plays the same whenever it is played.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field

from tests.simulation.laws import LawBroken
from tests.simulation.scenario import SECONDS, play
from tests.simulation.world import World


@dataclass
class Summary:
    """What many seeds came to."""

    seeds: int = 0
    virtual_s: float = 0.0
    samples: int = 0
    died: int = 0
    lost: int = 0
    blows: Counter[str] = field(default_factory=Counter)
    broken: list[int] = field(default_factory=list)

    def add(self, world: World) -> None:
        """Counts a seed in which all laws held."""
        self.virtual_s += world.loop.time()
        self.samples += len(world.truth.samples)
        self.died += len(world.truth.died_with_runner)
        self.lost += world.laws.lost_samples
        self.blows += world.blows

    def text(self, took_s: float) -> str:
        """Says it to people."""
        blows = ", ".join(f"{name} {count}" for name, count in self.blows.most_common())
        return "\n".join(
            [
                f"{self.seeds} seeds, {self.virtual_s:,.0f} virtual s in {took_s:.1f} s",
                f"blows      {self.blows.total():,}: {blows}",
                f"samples    {self.samples:,}",
                f"duplicated 0, lost {self.died:,} in runners and {self.lost:,} in agents that were killed,"
                " all of them declared; else 0",
                f"broken     {len(self.broken)}: seeds {self.broken}" if self.broken else "broken     none",
            ]
        )


def main() -> int:
    """Plays the seeds that were asked for; returns 1 when one broke a law."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="virtual seconds of blows")
    parser.add_argument("--stop-at-first", action="store_true", help="end at a seed that breaks a law")
    options = parser.parse_args()
    began_s, summary = time.monotonic(), Summary()
    for seed in range(options.first, options.first + options.seeds):
        summary.seeds += 1
        try:
            summary.add(play(seed, seconds=options.seconds))
        except Exception as error:
            summary.broken.append(seed)
            print(f"seed {seed}: {error if isinstance(error, LawBroken) else traceback.format_exc()}\n")
            if options.stop_at_first:
                break
    print(summary.text(time.monotonic() - began_s))
    return 1 if summary.broken else 0


if __name__ == "__main__":
    sys.exit(main())
