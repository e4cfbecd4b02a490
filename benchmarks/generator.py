"""One run of a load generator, ours or Locust's: the same function with a different command line.

Everything of a side (for ours the master, the agent, the script host and the runner) shares the
generator's core, so a ratio can only be won by doing less work.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import free_port
from tests.support.processes import Command

from benchmarks.comparison import Sample, rate_from_entries
from benchmarks.cores import pinned_to

USERS = 50

OVERHEAD_DEADLINE_S = 60.0
"""Start and end of a run beside its run time, on a crowded machine."""


class RunFailed(Exception):
    """A generator ended badly or reported failures; the message holds its last words."""


@dataclass(frozen=True, slots=True)
class Generator:
    """A side: its name, and a function that makes the start of its command line afresh for each run."""

    name: str
    argv: Callable[[], list[str]]


@dataclass(frozen=True, slots=True)
class Load:
    """What both sides are asked to do."""

    locustfile: Path
    user_class: str
    url: str
    run_time_s: int


def our_generator() -> Generator | None:
    """The commands beside this interpreter, or None while they are not installed."""
    master = Path(sys.executable).with_name("locust-master")
    if not master.is_file():
        return None

    def argv() -> list[str]:
        bind = ["--bind-host", "127.0.0.1", "--bind-port", str(free_port())]
        return [str(master), "--headless", "--processes", "1", *bind]

    return Generator(name="ours", argv=argv)


def locust_generator(program: Path) -> Generator:
    """Real Locust as one process."""
    return Generator(name="locust", argv=lambda: [str(program), "--headless"])


def run(generator: Generator, load: Load, *, core: int) -> Sample:
    """Run `load` with every process of `generator` on `core`; raises RunFailed."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        # A folder and a home without settings, and no setting from outside: a stray locust.conf or
        # LOCUST_USERS would change one side only.
        settings = {name: None for name in os.environ if name.startswith("LOCUST_")}
        command = Command(
            [*generator.argv(), *_options(load)], cwd=Path(folder), environment={**settings, "HOME": folder}
        )
        cpu_before_s, started_s = _cpu_of_ended_children_s(), time.monotonic()
        with pinned_to(core):
            command.start()
        try:
            exit_code = command.wait_for_exit(deadline_s=load.run_time_s + OVERHEAD_DEADLINE_S)
            elapsed_s = time.monotonic() - started_s
            if exit_code != 0:
                raise RunFailed(f"{generator.name}: exit code {exit_code}\n{command.describe()}")
            rate_per_s = _rate(generator, command)
        except AssertionError as error:
            raise RunFailed(f"{generator.name}: {error}") from error
        finally:
            command.close()
        cpu_s = _cpu_of_ended_children_s() - cpu_before_s
        return Sample(rate_per_s=rate_per_s, core_share=cpu_s / elapsed_s)


def _options(load: Load) -> list[str]:
    return [
        *("-f", str(load.locustfile)),
        *("-H", load.url),
        *("-u", str(USERS)),
        *("-r", str(USERS)),
        *("-t", f"{load.run_time_s}s"),
        *("-L", "WARNING"),
        "--only-summary",
        "--json",
        load.user_class,
    ]


def _rate(generator: Generator, command: Command) -> float:
    try:
        return rate_from_entries(json.loads(command.stdout()))
    except ValueError as error:
        raise RunFailed(f"{generator.name}: no usable --json: {error}\n{command.describe()}") from error


def _cpu_of_ended_children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
