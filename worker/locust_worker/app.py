"""Wires the agent's parts in one task group, listens to signals, and leaves nothing behind.

The first Ctrl-C, SIGTERM or end of the terminal asks the agent to leave in order; the second ends it at once.
However the agent ends, its runners have ended before `run_agent` returns.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from locust_protocol.channels import MasterChannel
from locust_protocol.labels import EMBEDDED_LABEL
from locust_protocol.process.end_signals import end_signals
from locust_protocol.process.errors import DegradedError, UsageError
from locust_protocol.process.exit_codes import ExitCode, worst
from locust_protocol.process.open_files_limit import raise_descriptor_limit
from locust_protocol.security.access_terms import AccessTerms
from locust_protocol.security.asking import ask_token_if_possible
from locust_protocol.v1 import master_service_pb2
from locust_worker import host_facts, session
from locust_worker.agent import Agent, Identity
from locust_worker.bundle_cache import BundleCache
from locust_worker.last_words import write_last_words
from locust_worker.log_relay import LogRelay
from locust_worker.master_link import MasterLink
from locust_worker.own_locustfile import read_manifest
from locust_worker.parent_death import is_orphan
from locust_worker.pool import Code

logger = logging.getLogger(__name__)

TICK_S = 0.1
"""Seconds between two looks at the clock: leases and deadlines are kept to that."""

QUIT_TIMEOUT_S = 9.0
"""Seconds that runners get to quit by themselves; the pool's own grace for each of them is shorter."""

KILL_TIMEOUT_S = 2.0
"""Seconds for killed runners to be gone."""

UID_BYTES = 16


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """What the command line came to."""

    target: str
    access: AccessTerms
    runners: int
    name: str
    own_code: Code | None
    session: session.SessionSettings
    cache_directory: Path
    kill_stalled_after_s: float | None = None
    """Seconds after which a blocked runner is killed; None: never."""
    parent_pid: int | None = None


class _Ended(Exception):
    """Ends the task group, and with it every task that is left."""

    def __init__(self, exit_code: ExitCode) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


async def run_agent(options: AgentOptions) -> ExitCode:
    """Runs one agent to its end. Raises `OperatorError` when a person has to put something right."""
    codes: list[ExitCode] = []
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_supervise(options, tasks), name="agent")
    except* _Ended as group:
        codes += [error.exit_code for error in group.exceptions if isinstance(error, _Ended)]
    return worst(codes)


async def _supervise(options: AgentOptions, tasks: asyncio.TaskGroup) -> None:
    identity = await _make_identity(options)
    link = MasterLink(MasterChannel(options.target, options.access, ask=ask_token_if_possible()))
    agent = Agent(
        identity,
        link=link,
        settings=options.session,
        cache=BundleCache(options.cache_directory),
        kill_stalled_after_s=options.kill_stalled_after_s,
        tasks=tasks,
    )
    relay = LogRelay(agent.reporting.extras)
    logging.getLogger().addHandler(relay)
    tasks.create_task(_tick(agent, options.parent_pid), name="ticker")
    tasks.create_task(agent.health.watch_lag(), name="lag-watch")
    interrupts = _Interrupts(agent, tasks)
    try:
        end = await _wait_end(agent, identity.request)
        await agent.say_goodbye("the worker was asked to end" if not end.text else end.text)
        agent.pool.quit_all()
        await agent.pool.wait_gone(timeout_s=QUIT_TIMEOUT_S)
    finally:
        agent.pool.kill_all()
        await agent.pool.wait_gone(timeout_s=KILL_TIMEOUT_S)
        interrupts.remove()
        logging.getLogger().removeHandler(relay)
        await link.close()
    if end.exit_code is ExitCode.OK:
        raise _Ended(end.exit_code)
    error_type = UsageError if end.exit_code is ExitCode.USAGE else DegradedError
    raise error_type(end.text)


async def _wait_end(agent: Agent, request: master_service_pb2.RegisterRequest) -> session.End:
    """Returns how the agent ended; however that is, what no master acknowledged is written down."""
    try:
        end = await agent.run()
    finally:
        outbox = agent.reporting.outbox
        left = write_last_words(outbox, uid=request.worker_uid, name=request.worker_name, folder=Path.cwd())
    if end.exit_code is ExitCode.OK and left.sentence:
        return session.End(ExitCode.DEGRADED, left.sentence)
    return end


async def _make_identity(options: AgentOptions) -> Identity:
    descriptors = raise_descriptor_limit()
    facts = host_facts.read_host_facts(descriptor_limit=descriptors)
    if options.runners > facts.usable_cores:
        logger.warning(
            "%d runners share %d cores and will slow each other down; leave --processes out, or lower it",
            options.runners,
            facts.usable_cores,
        )
    request = master_service_pb2.RegisterRequest(
        software_version=metadata.version("locust-grpc"),
        worker_uid=os.urandom(UID_BYTES),
        worker_name=options.name or socket.gethostname(),
        host=facts,
        runners=options.runners,
        # It ends with its master: another life of that must not wait for it.
        labels={} if options.parent_pid is None else {EMBEDDED_LABEL: "1"},
    )
    if options.own_code is None:
        return Identity(request)
    return Identity(request, options.own_code, await read_manifest(options.own_code))


async def _tick(agent: Agent, parent_pid: int | None) -> None:
    while True:
        await asyncio.sleep(TICK_S)
        if is_orphan(parent_pid):
            raise DegradedError("the master that started this worker is gone")
        agent.post(session.TimePassed())


class _Interrupts:
    """Ctrl-C, SIGTERM, a closed terminal: the first asks, the second ends."""

    def __init__(self, agent: Agent, tasks: asyncio.TaskGroup) -> None:
        self._agent = agent
        self._tasks = tasks
        self._count = 0
        self._signals = end_signals()
        for number in self._signals:
            asyncio.get_running_loop().add_signal_handler(number, self._take)

    def remove(self) -> None:
        """Gives the signals back to Python."""
        for number in self._signals:
            asyncio.get_running_loop().remove_signal_handler(number)

    def _take(self) -> None:
        self._count += 1
        if self._count == 1:
            self._agent.post(session.LeaveAsked())
        else:
            self._agent.pool.kill_all()
            self._tasks.create_task(_end_at_once(), name="end-at-once")


async def _end_at_once() -> None:
    raise _Ended(ExitCode.INTERRUPTED_TWICE)
