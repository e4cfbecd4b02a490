"""The same samples through our master's code and through Locust's: CPU per report, bytes per series.

    python -m benchmarks.simulated_workers.against_locust

Both sides take a second of one worker after the other: serialise the report, parse it, merge it into the
totals; ours judges it in the ledger as well, and reads so many reports together as its master does when they
come from a thousand workers. The network is left out on both. They run in turns within one
session, and ratios are medians over rounds. Prints one JSON line; exit code 0 when all that a report costs is
at most half of Locust's and its bytes are at most a fifth, 1 when not, 2 when there is no Locust.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.real_locust import LocustUnavailable, locust_program
from benchmarks.simulated_workers.samples import Load, definitions, raw_seconds, slice_of
from locust_master.ledger import Ledger
from locust_master.merging.ahead import read_ahead
from locust_master.merging.totals import RunTotals
from locust_master.services.intake import GATHER_S
from locust_protocol.v1 import master_service_pb2, report_pb2

LOCUST_SIDE = Path(__file__).with_name("locust_side.py")
RUN_ID = bytes(range(16))
CPU_BAR, BYTES_BAR = 0.5, 0.2


@dataclass(frozen=True, slots=True)
class Cost:
    """One pass over all reports."""

    worker_s: float
    master_s: float
    bytes: int


@dataclass(frozen=True, slots=True)
class Compared:
    """Ours over Locust's; times are medians of a report in microseconds of CPU."""

    reports: int
    together: int
    rounds: int
    cpu_ratio: float
    master_cpu_ratio: float
    master_cpu_ratio_min: float
    master_cpu_ratio_max: float
    bytes_ratio: float
    ours_master_us: float
    theirs_master_us: float
    ours_worker_us: float
    theirs_worker_us: float
    ours_bytes_per_series: float
    theirs_bytes_per_series: float
    meets_bars: bool


class OurSide:
    """Our master: ledger and totals; a worker each for every report of a round."""

    def __init__(self, load: Load, seconds: list[list[list[tuple[int, bool]]]], *, together: int) -> None:
        self._together = together
        self._slices = [slice_of(second) for second in seconds]
        self._definitions = definitions(load)
        self._totals, self._ledger = RunTotals(), Ledger(RUN_ID)
        self._sequence = 0

    def one_pass(self) -> Cost:
        """Takes a report of every worker."""
        self._sequence += 1
        worker_s = master_s = 0.0
        size = 0
        waiting: list[tuple[bytes, bytes]] = []
        for number, content in enumerate(self._slices):
            report = report_pb2.Report(run_id=RUN_ID, sequence=self._sequence)
            if self._sequence == 1:
                report.MergeFrom(self._definitions)
            started_s = time.thread_time()
            report.slices.add().CopyFrom(content)
            report.slices[0].start_ms = self._sequence * 1_000
            payload = master_service_pb2.StreamStatsRequest(report=report).SerializeToString()
            sent_s = time.thread_time()
            worker_s += sent_s - started_s
            size += len(payload)
            waiting.append((number.to_bytes(16, "big"), payload))
            if len(waiting) == self._together or number + 1 == len(self._slices):
                started_s = time.thread_time()
                self._take(waiting)
                master_s += time.thread_time() - started_s
                waiting.clear()
        started_s = time.thread_time()
        self._totals.settle()
        return Cost(worker_s, master_s + time.thread_time() - started_s, size)

    def _take(self, waiting: Sequence[tuple[bytes, bytes]]) -> None:
        reports = [master_service_pb2.StreamStatsRequest.FromString(payload).report for _, payload in waiting]
        for (uid, _), report, ahead in zip(waiting, reports, read_ahead(reports), strict=True):
            self._ledger.judge(
                worker_uid=uid, run_id=report.run_id, sequence=report.sequence, is_snapshot=report.snapshot
            )
            self._totals.apply(uid.hex(), "w", report, at_ms=(self._sequence + 1) * 1_000, ahead=ahead)
            self._ledger.note_applied(uid, report.sequence, is_final=False)


def compare(*, workers: int, rounds: int, load: Load, together: int) -> Compared:
    """Runs both sides in turns. Raises `LocustUnavailable`."""
    python = locust_program().with_name("python")
    seconds = raw_seconds(load, seed=7, seconds=workers)
    ours = OurSide(load, seconds, together=together)
    in_ms = [[[(value_us / 1_000, failed) for value_us, failed in row] for row in each] for each in seconds]
    with subprocess.Popen(
        [str(python), str(LOCUST_SIDE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as theirs:
        assert theirs.stdin is not None
        assert theirs.stdout is not None
        theirs.stdin.write(json.dumps(in_ms) + "\n")
        pairs = []
        # The first round names everything for the first time, on both sides.
        for _ in range(rounds + 1):
            mine = ours.one_pass()
            theirs.stdin.write("go\n")
            theirs.stdin.flush()
            pairs.append((mine, Cost(**json.loads(theirs.stdout.readline()))))
        theirs.stdin.close()
    return _compared(pairs[1:], reports=workers, load=load, together=together)


def _compared(pairs: list[tuple[Cost, Cost]], *, reports: int, load: Load, together: int) -> Compared:
    cpu = [mine.master_s / other.master_s for mine, other in pairs]
    whole = statistics.median(
        (mine.master_s + mine.worker_s) / (other.master_s + other.worker_s) for mine, other in pairs
    )
    size = statistics.median(mine.bytes / other.bytes for mine, other in pairs)

    def us(seconds: list[float]) -> float:
        return round(statistics.median(seconds) / reports * 1e6, 1)

    rows = reports * load.series
    return Compared(
        reports=reports,
        together=together,
        rounds=len(pairs),
        cpu_ratio=round(whole, 3),
        master_cpu_ratio=round(statistics.median(cpu), 3),
        master_cpu_ratio_min=round(min(cpu), 3),
        master_cpu_ratio_max=round(max(cpu), 3),
        bytes_ratio=round(size, 3),
        ours_master_us=us([mine.master_s for mine, _ in pairs]),
        theirs_master_us=us([other.master_s for _, other in pairs]),
        ours_worker_us=us([mine.worker_s for mine, _ in pairs]),
        theirs_worker_us=us([other.worker_s for _, other in pairs]),
        ours_bytes_per_series=round(statistics.median(mine.bytes for mine, _ in pairs) / rows, 1),
        theirs_bytes_per_series=round(statistics.median(other.bytes for _, other in pairs) / rows, 1),
        meets_bars=statistics.median(cpu) <= CPU_BAR and size <= BYTES_BAR,
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.simulated_workers.against_locust")
    parser.add_argument("--workers", type=int, default=200, help="reports of a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--together", type=int, default=round(GATHER_S * 1_000), help="reports that ours reads together"
    )
    options = parser.parse_args()
    try:
        compared = compare(
            workers=options.workers, rounds=options.rounds, load=Load(), together=options.together
        )
    except LocustUnavailable as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(asdict(compared)))
    return 0 if compared.meets_bars else 1


if __name__ == "__main__":
    sys.exit(main())
