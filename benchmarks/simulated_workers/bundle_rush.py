"""Many workers that fetch a large bundle at once: `python -m benchmarks.simulated_workers.bundle_rush`.

They join an idle master together, and each fetches the bundle while it reports. Prints one JSON line; exit
code 0 when all of them have it and none lost its lease on the way.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.simulated_workers.case import Case, fleet_process, master_process, port_of, tally_of

DEADLINE_S = 120.0
LOOK_S = 0.5
STAY_S = 12.0
"""Seconds that workers are watched after the last one has it: longer than a lease."""


@dataclass(frozen=True, slots=True)
class Rush:
    """What came of it."""

    workers: int
    bundle_mb: float
    all_fetched_s: float
    fetched: int
    leases_lost: int
    sessions: int
    longest_silence_s: float
    master_peak_rss_mb: float


def rush(workers: int, *, bundle_mb: float, stay_s: float = STAY_S) -> Rush:
    """Lets `workers` fetch the bundle at once and says what came of it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bundle-rush-")))
        data = folder / "data.bin"
        data.write_bytes(os.urandom(int(bundle_mb * (1 << 20))))
        locustfile = folder / "locustfile.py"
        locustfile.write_text(
            "from locust import User, task\n\n\nclass Idle(User):\n    @task\n    def t(self): pass\n"
        )
        master = stack.enter_context(
            master_process(folder, locustfile=locustfile, options=("--extra-files", "data.bin"))
        )
        fleet = stack.enter_context(fleet_process(port_of(master, folder), Case(workers), fetch_bundle=True))
        started_s = time.monotonic()
        tally = _wait_fetched(fleet, workers)
        lasted_s = time.monotonic() - started_s
        time.sleep(stay_s)
        tally = tally_of(fleet)
        return Rush(
            workers=workers,
            bundle_mb=bundle_mb,
            all_fetched_s=round(lasted_s, 1),
            fetched=int(tally["bundles"]),
            leases_lost=int(tally["leases_lost"]),
            sessions=int(tally["sessions"]),
            longest_silence_s=round(tally["longest_silence_s"], 1),
            master_peak_rss_mb=round(_peak_rss_mb(master.pid), 1),
        )


def _wait_fetched(fleet: subprocess.Popen[str], workers: int) -> dict[str, float]:
    deadline_s = time.monotonic() + DEADLINE_S
    while True:
        tally = tally_of(fleet)
        if tally["bundles"] >= workers or time.monotonic() > deadline_s:
            return tally
        time.sleep(LOOK_S)


def _peak_rss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.simulated_workers.bundle_rush")
    parser.add_argument("--workers", type=int, default=300)
    parser.add_argument("--bundle-mb", type=float, default=5.0)
    options = parser.parse_args()
    found = rush(options.workers, bundle_mb=options.bundle_mb)
    print(json.dumps(asdict(found)))
    return 0 if found.fetched == found.workers and not found.leases_lost else 1


if __name__ == "__main__":
    sys.exit(main())
