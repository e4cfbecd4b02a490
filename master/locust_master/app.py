"""Wires the master's parts together and lives their life: load, serve, run, end."""

from __future__ import annotations

import asyncio
import logging
import time

from locust_master.bundle import Bundle
from locust_master.cluster import Cluster
from locust_master.conductor import Conductor
from locust_master.embedded_worker import EmbeddedWorker
from locust_master.interpreter import collect_now_and_then, tune_interpreter
from locust_master.interrupts import interrupts
from locust_master.locustfile import Locustfile
from locust_master.log_hub import LogHub
from locust_master.loop_lag import log_loop_lag
from locust_master.modes import Ends, Parts, run_mode
from locust_master.resuming.take_up import take_up
from locust_master.script_host import ScriptHost
from locust_master.security.protection import make_protection
from locust_master.server import MasterServer
from locust_master.services.control import ControlService
from locust_master.services.master import MasterService, wait_streams_closed
from locust_master.settings import MasterSettings
from locust_master.sink import Sink
from locust_master.store.writer import lock_run_dir
from locust_protocol.limits import REPORT_INTERVAL_S
from locust_protocol.v1 import master_service_pb2

logger = logging.getLogger(__name__)

HOST_SNAPSHOT_INTERVAL_S = 1.0
GOODBYE_TIMEOUT_S = 5.0
"""Seconds that workers get to say goodbye when the master ends."""


async def run_master(
    settings: MasterSettings, bundle: Bundle, host: ScriptHost, tasks: asyncio.TaskGroup
) -> int:
    """Runs a master until it is to end; returns the exit code. Raises `OperatorError`."""
    tune_interpreter()
    logs = LogHub()
    logging.getLogger().addHandler(logs)
    with lock_run_dir(settings.run_dir):
        protection = make_protection(settings.protection)
        server = MasterServer(host=settings.bind_host, port=settings.bind_port, protection=protection)
        sink = Sink(logs)
        cluster = Cluster(lease_ttl_s=settings.lease_ttl_s, report_interval_s=REPORT_INTERVAL_S, sink=sink)
        locustfile = Locustfile(settings, cluster, tasks, sink.take_host_frame)
        conductor = Conductor(settings, cluster, locustfile)
        sink.bind(cluster, conductor)
        await locustfile.load(bundle, host)
        not_taken_up = await take_up(settings, cluster, conductor)
        control = ControlService(
            cluster, conductor, logs, defaults=settings.options, run_dir=settings.run_dir, tasks=tasks
        )
        await server.serve(MasterService(cluster, conductor), control)
        parts = Parts(settings, cluster, conductor, server.port, not_taken_up)
        return await _live(parts, sink, control, server, tasks)


async def _live(
    parts: Parts, sink: Sink, control: ControlService, server: MasterServer, tasks: asyncio.TaskGroup
) -> int:
    embedded: list[EmbeddedWorker] = []

    def end_at_once() -> None:
        parts.conductor.locustfile.host.kill()
        for worker in embedded:
            worker.kill()

    background = [
        tasks.create_task(parts.conductor.run_clock(), name="clock"),
        tasks.create_task(sink.run_wishes(), name="wishes"),
        tasks.create_task(log_loop_lag(), name="loop-lag"),
        tasks.create_task(collect_now_and_then(), name="collector"),
        tasks.create_task(sink.run_host_snapshots(HOST_SNAPSHOT_INTERVAL_S), name="host-snapshots"),
        tasks.create_task(parts.conductor.greet_adopted(), name="greet-adopted"),
    ]
    with interrupts(end_at_once) as interrupted:
        if parts.settings.processes is not None and not parts.only_reports:
            worker = await EmbeddedWorker.start(
                host=parts.settings.own_address,
                port=parts.port,
                processes=parts.settings.processes,
                log_level=parts.settings.log_level,
            )
            embedded.append(worker)
            background.append(tasks.create_task(worker.watch(), name="embedded-worker"))
        ends = Ends(interrupted, control.shut_down_asked, sink.end_asked)
        try:
            outcome = await run_mode(parts, ends)
            sink.tell_host_snapshot()
            wanted = parts.conductor.process_exit_code
            final = await parts.conductor.locustfile.host.quit(outcome.exit_code(wanted))
            return outcome.exit_code(wanted if final is None else final)
        finally:
            await _leave(parts.cluster, embedded, server)
            await parts.conductor.close()
            for task in background:
                task.cancel()


async def _leave(cluster: Cluster, embedded: list[EmbeddedWorker], server: MasterServer) -> None:
    started_s = time.monotonic()
    leaving = master_service_pb2.MasterLeaving(reason="the master ended")
    cluster.close_all(master_service_pb2.CommandsResponse(master_leaving=leaving))
    await wait_streams_closed(cluster, timeout_s=GOODBYE_TIMEOUT_S)
    for worker in embedded:
        await worker.stop()
    await server.stop()
    logger.debug("left in %.2f s", time.monotonic() - started_s)
