"""When a run whose master died is taken up again: only when nobody could be surprised by it.

All conditions must hold; the first that fails is named. A run that was stopping is taken up after its
deadline, too: what is left of it is to end users and to count their last samples.

Pure.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from locust_master.lifecycle import ACTIVE_STATES
from locust_master.run_options import RunOptions
from locust_master.store.facts import StoredRun, Written
from locust_protocol.process.cluster_flags import LISTENING, WORKERS
from locust_protocol.process.flags import Flag, FlagKind
from locust_protocol.process.general_flags import GENERAL, LOGGING
from locust_protocol.process.run_flags import RESULTS, RUN_FLAGS, START_AND_END

ASLEEP_S = 10.0
"""Seconds that the wall clock must be ahead of the monotonic one for the machine to have slept meanwhile."""

CLOCK_TOLERANCE_S = 2.0
"""Seconds that another machine's wall clock may be behind: with more, the age of a store means nothing."""


class ObstacleKind(enum.Enum):
    """Why a stored run is not taken up."""

    TOO_OLD = "too old"
    OTHER_LOCUSTFILE = "other locustfile"
    OTHER_OPTIONS = "other options"
    RUN_TIME_OVER = "run time over"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What stands in the way, and a sentence that says so."""

    kind: ObstacleKind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the master was started with. `resume_within_s` 0: no run is taken up."""

    resume_within_s: float
    bundle_digest: bytes
    options: RunOptions
    arguments: tuple[str, ...]


def obstacle(stored: StoredRun, wanted: Wanted, now: Written) -> Obstacle | None:
    """Returns what keeps a stored run from being taken up at the moment `now`; None when nothing does."""
    return next(_obstacles(stored, wanted, now), None)


def away_s(stored: StoredRun, now: Written) -> float:
    """Seconds since the run was last written."""
    by_wall_s = (now.wall_ms - stored.written.wall_ms) / 1e3
    if _is_same_clock(stored, now):
        # The monotonic clock stands still while the machine sleeps, the other one may be set back.
        return max((now.ns - stored.written.ns) / 1e9, by_wall_s)
    return by_wall_s


def start_ns(stored: StoredRun, now: Written) -> int:
    """Returns run time zero on the monotonic clock that `now` is of."""
    if _is_same_clock(stored, now):
        return stored.progress.start_ns
    return now.ns - (now.wall_ms - stored.summary.started_wall_ms) * 1_000_000


def run_arguments(arguments: Sequence[str]) -> tuple[str, ...]:
    """Returns a command line without what is about the master and not about the run."""
    kept: list[str] = []
    words = list(arguments)
    while words:
        word = words.pop(0)
        if word == "--":
            return (*kept, word, *words)
        flag = _MASTERS_OWN.get(word.partition("=")[0])
        if flag is None:
            kept.append(word)
        elif flag.kind not in (FlagKind.SWITCH, FlagKind.OFF_SWITCH) and "=" not in word and words:
            words.pop(0)
    return tuple(kept)


_ABOUT_THE_MASTER = {WORKERS, LISTENING, START_AND_END, RESULTS, LOGGING, GENERAL}
_ABOUT_THE_RUN = {"--stop-timeout", "--reset-stats", "--max-names", "--profile", "--extra-files"}
"""Flags of those groups that change what the run is."""

_MASTERS_OWN: dict[str, Flag] = {
    name: flag
    for flag in RUN_FLAGS
    if flag.group in _ABOUT_THE_MASTER and _ABOUT_THE_RUN.isdisjoint(flag.names)
    for name in flag.names
}


def _obstacles(stored: StoredRun, wanted: Wanted, now: Written) -> Iterator[Obstacle]:
    old_s, limit_s = away_s(stored, now), wanted.resume_within_s
    if limit_s <= 0:
        yield Obstacle(ObstacleKind.TOO_OLD, "--resume-within is 0")
    if old_s > limit_s:
        text = f"it was last written {old_s:.0f} s ago, and --resume-within is {limit_s:g} s"
        yield Obstacle(ObstacleKind.TOO_OLD, text)
    if old_s < -CLOCK_TOLERANCE_S:
        yield Obstacle(ObstacleKind.TOO_OLD, f"it was last written {-old_s:.0f} s in the future")
    if stored.bundle_digest != wanted.bundle_digest:
        yield Obstacle(ObstacleKind.OTHER_LOCUSTFILE, "the locustfile, or a file beside it, is another one")
    if stored.defaults != wanted.options.to_message():
        names = ", ".join(_different_options(stored, wanted))
        yield Obstacle(ObstacleKind.OTHER_OPTIONS, f"the command line says something else about {names}")
    if run_arguments(stored.settings.arguments) != run_arguments(wanted.arguments):
        yield Obstacle(ObstacleKind.OTHER_OPTIONS, "the command line has other arguments")
    over_s = _over_s(stored, now)
    if over_s >= 0 and stored.progress.state in ACTIVE_STATES:
        yield Obstacle(ObstacleKind.RUN_TIME_OVER, f"its run time was over {over_s:.0f} s ago")


def _different_options(stored: StoredRun, wanted: Wanted) -> Iterator[str]:
    theirs, ours = stored.defaults, wanted.options.to_message()
    for field in ours.DESCRIPTOR.fields:
        if getattr(theirs, field.name) != getattr(ours, field.name):
            yield field.name.replace("_", " ").removesuffix(" ms")


def _over_s(stored: StoredRun, now: Written) -> float:
    """Seconds since the run's deadline; negative before it, and without one."""
    if stored.progress.deadline_us is None:
        return -1.0
    run_us = (now.ns - start_ns(stored, now)) // 1_000
    by_wall_us = (now.wall_ms - stored.summary.started_wall_ms) * 1_000
    if _is_same_clock(stored, now) and away_s(stored, now) > ASLEEP_S + (now.ns - stored.written.ns) / 1e9:
        run_us = max(run_us, by_wall_us)
    return (run_us - stored.progress.deadline_us) / 1e6


def _is_same_clock(stored: StoredRun, now: Written) -> bool:
    return bool(now.boot_id) and stored.written.boot_id == now.boot_id
