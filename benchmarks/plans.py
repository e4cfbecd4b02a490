"""`python -m benchmarks.plans`: what making a plan costs, one JSON line a case.

`plan_ms` is making the plan and asking it how many users run at a moment and when it ends; `first_ms` the
first worker's schedules after that, which deals all users; `all_ms` the other workers'. `spans` travel in
all. Each is a median over rounds, in CPU time; each round begins without a deal that is kept.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from locust_master.planning.deal import deal_of
from locust_master.planning.goal import ClassShare, Goal
from locust_master.planning.plan import (
    Placement,
    WorkerCapacity,
    end_us,
    make_plan,
    planned_placement,
    planned_users,
)

ROUNDS = 5
CLASSES = tuple(ClassShare(f"Class{index}", 1 + index % 10) for index in range(20))
REAL_CLASSES = tuple(ClassShare(f"Class{index}", 1 + index**0.5) for index in range(20))


@dataclass(frozen=True, slots=True)
class Case:
    """A plan to make: from what runs to `users` users."""

    name: str
    users: int
    workers: tuple[WorkerCapacity, ...]
    classes: tuple[ClassShare, ...] = CLASSES
    current: Placement | None = None


def main() -> int:
    hundred = _fleet(100, 1)
    full = _placed(100_000, hundred)
    cases = (
        Case("ramp to 100,000 on 100", 100_000, hundred),
        Case("ramp to 100,000 on 100, weights without a common measure", 100_000, hundred, REAL_CLASSES),
        Case("cut from 100,000 to 1,000 on 100", 1_000, hundred, current=full),
        Case("one of 100 workers lost at 100,000", 100_000, hundred[1:], current=full),
        Case("a worker joins 100 at 100,000", 100_000, _fleet(101, 1), current=full),
        Case("other weights at 100,000", 100_000, hundred, tuple(reversed(REAL_CLASSES)), current=full),
        Case("cut to 1,000 with one of 100 lost", 1_000, hundred[1:], current=full),
        Case("ramp to 10,000 on 1,000 of 2 runners", 10_000, _fleet(1_000, 2)),
        Case("ramp to 100,000 on 50 of 4 and 50 of 8", 100_000, _fleet(50, 4) + _fleet(50, 8, first=50)),
    )
    for case in cases:
        print(json.dumps(_measure(case)), flush=True)
    return 0


def _fleet(count: int, runners: int, first: int = 0) -> tuple[WorkerCapacity, ...]:
    return tuple(WorkerCapacity(f"worker{index}", runners) for index in range(first, first + count))


def _placed(users: int, workers: Sequence[WorkerCapacity]) -> Placement:
    plan = make_plan(current={}, goal=Goal(users, 500, CLASSES), workers=workers, start_us=0)
    return planned_placement(plan, end_us(plan))


def _measure(case: Case) -> dict[str, object]:
    rounds = [_round(case) for _ in range(ROUNDS)]
    medians = [statistics.median(column) for column in zip(*rounds, strict=True)]
    return {
        "case": case.name,
        "plan_ms": round(medians[0], 1),
        "first_ms": round(medians[1], 1),
        "all_ms": round(medians[2], 1),
        "spans": int(medians[3]),
    }


def _round(case: Case) -> tuple[float, float, float, int]:
    deal_of.cache_clear()
    goal = Goal(case.users, 500, case.classes)
    begun = time.process_time()
    plan = make_plan(current=case.current or {}, goal=goal, workers=case.workers, start_us=0)
    planned_users(plan, end_us(plan) // 2)
    made = time.process_time()
    plan.by_worker[case.workers[0].worker]
    first = time.process_time()
    spans = sum(len(schedule.spans) for schedules in plan.by_worker.values() for schedule in schedules)
    done = time.process_time()
    return (made - begun) * 1e3, (first - made) * 1e3, (done - first) * 1e3, spans


if __name__ == "__main__":
    raise SystemExit(main())
