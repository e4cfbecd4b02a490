"""Requests per second of one runner on one core, beside real Locust's on the same core."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import nginx
from benchmarks.comparison import Failed, Measurement, Skipped, compare
from benchmarks.cores import Cores, two_cores
from benchmarks.generator import Generator, Load, RunFailed, locust_generator, our_generator, run
from benchmarks.real_locust import LocustUnavailable, locust_program

LOCUSTFILES = Path(__file__).parent / "locustfiles"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A user class that both sides run, and the least ratio that we want."""

    name: str
    locustfile: str
    user_class: str
    bar: float


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to look: more rounds narrow the spread."""

    rounds: int
    run_time_s: int


@dataclass(frozen=True, slots=True)
class Setup:
    """What a comparison needs of the machine."""

    cores: Cores
    nginx: str
    ours: Generator
    theirs: Generator


COMPARISONS = (
    Comparison(name="fast_http_user_get", locustfile="get.py", user_class="FastGet", bar=4.0),
    Comparison(name="http_user_get", locustfile="get.py", user_class="RequestsGet", bar=8.0),
)


def measure(
    comparisons: Sequence[Comparison], *, effort: Effort, locust_on_both_sides: bool
) -> Iterator[Measurement]:
    """Yield each measurement when it is made; all are skipped, by name, when the machine lacks something.

    With `locust_on_both_sides` Locust plays our part too: the ratio is 1, and its spread is the
    noise of the machine.
    """
    setup = _prepare(locust_on_both_sides=locust_on_both_sides)
    if isinstance(setup, str):
        yield from (Skipped(name=comparison.name, skipped=setup) for comparison in comparisons)
        return
    with nginx.serving(setup.nginx, core=setup.cores.target) as url:
        for comparison in comparisons:
            yield _measure(comparison, setup, url=url, effort=effort)


def _prepare(*, locust_on_both_sides: bool) -> Setup | str:
    """What is needed, or the reason why it cannot be had."""
    cores = two_cores()
    if isinstance(cores, str):
        return cores
    program = nginx.find_nginx()
    if program is None:
        return "nginx not found"
    ours = our_generator()
    if ours is None and not locust_on_both_sides:
        return "locust-master is not installed beside this Python"
    try:
        theirs = locust_generator(locust_program())
    except LocustUnavailable as reason:
        return str(reason)
    return Setup(
        cores=cores,
        nginx=program,
        ours=theirs if locust_on_both_sides or ours is None else ours,
        theirs=theirs,
    )


def _measure(comparison: Comparison, setup: Setup, *, url: str, effort: Effort) -> Measurement:
    load = Load(
        locustfile=LOCUSTFILES / comparison.locustfile,
        user_class=comparison.user_class,
        url=url,
        run_time_s=effort.run_time_s,
    )
    try:
        return compare(
            comparison.name,
            ours=lambda: run(setup.ours, load, core=setup.cores.generator),
            theirs=lambda: run(setup.theirs, load, core=setup.cores.generator),
            rounds=effort.rounds,
            bar=comparison.bar,
        )
    except RunFailed as error:
        return Failed(name=comparison.name, failed=str(error))
