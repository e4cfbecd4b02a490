"""`locust-worker`: from a command line to a running agent."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
from collections.abc import Sequence

from locust_protocol.addresses import join_address
from locust_protocol.process.access_flags import access_terms
from locust_protocol.process.command_line import parse_flags
from locust_protocol.process.errors import OperatorError, first_error
from locust_protocol.process.flag_tables import worker_parser
from locust_protocol.process.logs import Role, configure_logging
from locust_protocol.process.run_command import run_command
from locust_protocol.security.roles import AccessRole
from locust_worker.app import AgentOptions, run_agent
from locust_worker.bundle_cache import default_cache_directory
from locust_worker.host_facts import usable_cores
from locust_worker.own_locustfile import find_code
from locust_worker.parent_death import die_with_parent_if_asked
from locust_worker.session import SessionSettings

logger = logging.getLogger(__name__)

PROGRAM = "locust-worker"

ONE_PER_CORE = -1


def main() -> None:
    """Entry point of the command."""
    run_command(run, prog=PROGRAM)


def run(arguments: Sequence[str]) -> int:
    """Runs an agent and returns its exit code. Raises `OperatorError`."""
    parent_pid = die_with_parent_if_asked()
    parsed = parse_flags(worker_parser(), arguments, env=os.environ)
    values = parsed.values
    configure_logging(values.loglevel, values.logfile, role=Role.WORKER)
    for warning in parsed.warnings:
        logger.warning("%s", warning)
    options = make_options(values, parent_pid=parent_pid)
    logger.info("worker starts master=%s runners=%d", options.target, options.runners)
    try:
        return asyncio.run(run_agent(options))
    except* OperatorError as group:
        raise first_error(group) from None


def make_options(values: argparse.Namespace, *, parent_pid: int | None) -> AgentOptions:
    """Returns the options that a parsed command line means. Raises `UsageError`."""
    # Beside its master it gets the master's code: LOCUST_LOCUSTFILE was meant for that one.
    is_embedded = parent_pid is not None
    runners = usable_cores() if values.processes == ONE_PER_CORE else values.processes
    return AgentOptions(
        target=join_address(values.master_host, values.master_port),
        access=access_terms(values, AccessRole.WORKER),
        runners=runners,
        name=values.name or "",
        own_code=find_code([values.locustfile]) if values.locustfile and not is_embedded else None,
        session=SessionSettings(stay=values.stay, reconnect_timeout_s=float(values.reconnect_timeout)),
        kill_stalled_after_s=values.kill_stalled_after,
        cache_directory=default_cache_directory(),
        parent_pid=parent_pid,
    )


if __name__ == "__main__":
    main()
