"""When a stored run is taken up again: each condition by itself, and what counts as the same command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from locust_master.lifecycle import RunState
from locust_master.planning.goal import ClassShare, Goal
from locust_master.planning.placement import WorkerCapacity
from locust_master.planning.plan import PlanBasis
from locust_master.resuming.conditions import ObstacleKind, Wanted, obstacle, run_arguments, start_ns
from locust_master.run_options import RunOptions
from locust_master.store.facts import Progress, StoredRun, Written
from locust_protocol.v1 import assignment_pb2, snapshot_pb2

SECOND_NS = 1_000_000_000
OPTIONS = RunOptions(users=10, spawn_rate=2, run_time_s=100)
ARGUMENTS = ("-u", "10", "--headless", "--shop", "7")
START_WALL_MS = 1_000_000

PROGRESS = Progress(
    start_ns=500 * SECOND_NS,
    generation=7,
    session_id=9,
    state=RunState.RUNNING,
    stats_epoch=1,
    deadline_us=100_000_000,
    stop_timeout_ms=0,
    stop_requested_us=None,
    last_actor="me",
)
STORED = StoredRun(
    path=Path("run.sqlite"),
    run_id=b"r" * 16,
    options=OPTIONS.to_message(),
    defaults=OPTIONS.to_message(),
    settings=assignment_pb2.RunSettings(arguments=ARGUMENTS),
    bundle_digest=b"d",
    summary=snapshot_pb2.RunSummary(started_wall_ms=START_WALL_MS),
    written=Written(START_WALL_MS + 20_000, 520 * SECOND_NS, "boot"),
    progress=PROGRESS,
    plan=PlanBasis(0, {}, Goal(10, 2, (ClassShare("A", 1),)), (WorkerCapacity("w", 2),)),
    members=(),
    losses=(),
    reports={},
)
WANTED = Wanted(resume_within_s=60, bundle_digest=b"d", options=OPTIONS, arguments=ARGUMENTS)
NOW = Written(START_WALL_MS + 25_000, 525 * SECOND_NS, "boot")


def later(seconds: int, *, boot_id: str = "boot") -> Written:
    return Written(NOW.wall_ms + seconds * 1_000, NOW.ns + seconds * SECOND_NS, boot_id)


def test_run_is_taken_up_when_all_conditions_hold() -> None:
    """The case that the rest of the table departs from."""
    assert obstacle(STORED, WANTED, NOW) is None


@pytest.mark.parametrize(
    ("wanted", "now", "kind", "text"),
    [
        (replace(WANTED, resume_within_s=0), NOW, ObstacleKind.TOO_OLD, "--resume-within is 0"),
        (WANTED, later(56), ObstacleKind.TOO_OLD, "61 s ago"),
        (WANTED, replace(NOW, boot_id="x", wall_ms=0), ObstacleKind.TOO_OLD, "in the future"),
        (replace(WANTED, bundle_digest=b"e"), NOW, ObstacleKind.OTHER_LOCUSTFILE, "a file beside it"),
        (
            replace(WANTED, options=replace(OPTIONS, users=11)),
            NOW,
            ObstacleKind.OTHER_OPTIONS,
            "about users",
        ),
        (
            replace(WANTED, options=replace(OPTIONS, run_time_s=None)),
            NOW,
            ObstacleKind.OTHER_OPTIONS,
            "about run time",
        ),
        (replace(WANTED, arguments=("--shop", "8")), NOW, ObstacleKind.OTHER_OPTIONS, "other arguments"),
        (replace(WANTED, resume_within_s=600), later(75), ObstacleKind.RUN_TIME_OVER, "over 0 s ago"),
    ],
)
def test_run_is_not_taken_up_when_one_condition_fails(
    wanted: Wanted, now: Written, kind: ObstacleKind, text: str
) -> None:
    """Each alone is enough, and is named."""
    found = obstacle(STORED, wanted, now)
    assert found is not None
    assert found.kind is kind
    assert text in found.text


def test_limit_of_age_itself_still_counts() -> None:
    """60 s are within 60 s."""
    assert obstacle(STORED, WANTED, later(55)) is None


def test_stopping_run_is_taken_up_after_its_deadline() -> None:
    """It starts nobody, and its last samples are to be counted."""
    stopping = replace(STORED, progress=replace(PROGRESS, state=RunState.STOPPING))
    assert obstacle(stopping, replace(WANTED, resume_within_s=600), later(75)) is None


def test_run_without_an_end_never_is_over() -> None:
    """There is no deadline that could have passed."""
    endless = replace(STORED, progress=replace(PROGRESS, deadline_us=None))
    assert obstacle(endless, replace(WANTED, resume_within_s=1e9), later(1_000_000)) is None


def test_run_time_goes_on_with_the_wall_clock_on_another_boot() -> None:
    """Monotonic clocks of two boots have nothing in common."""
    assert start_ns(STORED, NOW) == 500 * SECOND_NS
    rebooted = Written(START_WALL_MS + 30_000, 40 * SECOND_NS, "another boot")
    assert start_ns(STORED, rebooted) == 10 * SECOND_NS
    assert obstacle(STORED, WANTED, rebooted) is None


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        (("-u", "3", "--bind-port", "1", "--headless", "--shop", "7"), ("-u", "3", "--shop", "7")),
        (("--bind-port=1", "--resume-within=5s", "-s", "9"), ("-s", "9")),
        (("--json", "--", "Buyer", "--json"), ("--", "Buyer", "--json")),
        ((), ()),
    ],
)
def test_arguments_about_the_master_do_not_change_the_run(
    arguments: tuple[str, ...], kept: tuple[str, ...]
) -> None:
    """Another port or another output is no other run."""
    assert run_arguments(arguments) == kept
