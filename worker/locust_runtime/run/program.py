"""The program `python -m locust_runtime`: joins the link, then becomes what the first message says.

It is started by an agent or a master and by nobody else; see `locust/runner/v1/link.proto`.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

import gevent

from locust_protocol.process.exit_codes import ExitCode
from locust_protocol.runner.v1.link_pb2 import Load, RunnerRole
from locust_runtime.run.lag import LagMeter
from locust_runtime.run.link import Link, LinkClosed
from locust_runtime.run.parent import ParentIsGone, die_with_parent
from locust_runtime.run.watchdog import Pulse, exit_within

logger = logging.getLogger(__name__)

WANTED_OPEN_FILES = 65_536
"""Descriptors: a user may hold ten connections, and thousands of users are usual. More is not asked for."""

LAST_STEPS_S = 1.0
"""Seconds that exit handlers and threads of user code get once everything is said."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m locust_runtime", description=__doc__)
    parser.add_argument("--link-fd", type=int, required=True, help="descriptor of a connected stream socket")
    link_fd: int = parser.parse_args(argv).link_fd
    try:
        die_with_parent(link_fd)
    except ParentIsGone as error:
        print(f"locust_runtime: {error}", file=sys.stderr)
        return ExitCode.DEGRADED
    # Ctrl-C is for the commands, which end this process in an orderly way. A handler and not SIG_IGN, which
    # programs that user code starts would inherit.
    signal.signal(signal.SIGINT, lambda *_: None)
    raise_open_files_limit()
    pulse = Pulse()
    link = Link(link_fd, pulse)
    link.start()
    lag = LagMeter(pulse)
    gevent.spawn(lag.run)
    try:
        exit_code = _serve(link, pulse, lag)
    except LinkClosed:
        exit_code = ExitCode.DEGRADED
    exit_within(LAST_STEPS_S, exit_code)
    return exit_code


def raise_open_files_limit() -> None:
    """Let this process have as many descriptors as its hard limit allows, up to `WANTED_OPEN_FILES`."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = WANTED_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, WANTED_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):  # some systems have a lower limit than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _serve(link: Link, pulse: Pulse, lag: LagMeter) -> int:
    first = next(link.messages())
    kind = first.WhichOneof("frame")
    if kind == "load":
        pulse.code_directory = os.path.join(os.path.realpath(first.load.directory), "")
        return _run_role(link, first.load, lag)
    print(f"locust_runtime: the first message has to be load, not {kind}", file=sys.stderr)
    return ExitCode.USAGE


def _run_role(link: Link, load: Load, lag: LagMeter) -> int:
    if load.role == RunnerRole.RUNNER_ROLE_WORKER:
        from locust_runtime.run import worker_role

        return worker_role.run(link, load, lag=lag)
    if load.role == RunnerRole.RUNNER_ROLE_MASTER:
        from locust_runtime import script_host

        return script_host.run(link, load)
    print(f"locust_runtime: role {load.role} is unknown", file=sys.stderr)
    return ExitCode.USAGE
