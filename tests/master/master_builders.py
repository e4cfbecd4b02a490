"""A master without processes: real cluster, conductor, store and server around a locustfile that is faked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import grpc.aio

from locust_master.bundle import gather
from locust_master.cluster import Cluster
from locust_master.conductor import Conductor
from locust_master.locustfile import Locustfile
from locust_master.log_hub import LogHub
from locust_master.membership import Member
from locust_master.run import Run
from locust_master.security.protection import make_protection
from locust_master.security.protection_terms import ProtectionTerms
from locust_master.server import MasterServer
from locust_master.services.control import ControlService
from locust_master.services.master import MasterService
from locust_master.settings import MasterSettings, make_settings
from locust_master.sink import Sink
from locust_protocol.channels import credentials, secure_options
from locust_protocol.process.command_line import parse_flags
from locust_protocol.process.flag_tables import runner_parser
from locust_protocol.runner.v1 import link_pb2
from locust_protocol.security.roles import AccessRole
from locust_protocol.v1 import assignment_pb2, manifest_pb2, snapshot_pb2
from locust_protocol.v1.control_service_pb2_grpc import ControlServiceStub
from locust_protocol.v1.master_service_pb2_grpc import MasterServiceStub
from tests.master.cluster_builders import LEASE_TTL_S, manifest_of, registration, report
from tests.support.access import access_as


@dataclass
class FakeHost:
    """A script host whose listeners end at once, or when told."""

    moments: list[int] = field(default_factory=list)
    requests_seen: list[int] = field(default_factory=list)
    snapshot: snapshot_pb2.Snapshot = field(default_factory=snapshot_pb2.Snapshot)
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_go_on.set()

    async def run_moment(self, phase: link_pb2.RunPhase) -> link_pb2.RunPhaseDone:
        self.moments.append(phase.moment)
        self.requests_seen.append(self.snapshot.total.requests)
        await self.may_go_on.wait()
        return link_pb2.RunPhaseDone(moment=phase.moment)

    def tell_worker_connected(self, client_id: str, index: int) -> None:
        pass

    def tell_snapshot(self, snapshot: snapshot_pb2.Snapshot) -> None:
        self.snapshot = snapshot

    def tell_message(self, message: object) -> None:
        pass

    def tell_worker_data(self, client_id: str, data: object) -> None:
        pass


class FakeLocustfile:
    """One user class that needs no host."""

    def __init__(self, folder: Path) -> None:
        (folder / "locustfile.py").write_text("# never run here\n")
        self.bundle = gather([str(folder / "locustfile.py")])
        self.host = FakeHost()
        self.manifest: manifest_pb2.Manifest = manifest_of("A")

    async def reload_if_edited(self) -> None:
        pass


@dataclass
class Master:
    """All parts that a test may want to touch."""

    settings: MasterSettings
    cluster: Cluster
    conductor: Conductor
    locustfile: FakeLocustfile
    sink: Sink
    tasks: asyncio.TaskGroup
    control: ControlService
    server: MasterServer | None = None

    def join(self, number: int = 1) -> Member:
        """A worker that has loaded what is offered."""
        request = registration(number)
        self.cluster.register(request, address="test", now_ns=now_ns())
        member = self.cluster.membership.by_uid(request.worker_uid)
        assert member is not None
        self.beat(member)
        return member

    def beat(self, member: Member, *, users: int = 0) -> None:
        """The worker says that it does what it is told."""
        generation = self.cluster.generation
        self.cluster.take_report(member, report(0, run_id=b"", generation=generation, users=users), now_ns())

    def deliver(self, member: Member, run: Run, sequence: int, *, final: bool = False) -> None:
        """A report of the worker, with one request in it."""
        made = report(sequence, run_id=run.record.run_id, requests=1, final=final)
        made.status.observed_generation = self.cluster.generation
        self.cluster.take_report(member, made, now_ns())


def now_ns() -> int:
    """The clock that the conductor uses."""
    return time.monotonic_ns()


@asynccontextmanager
async def running_master(folder: Path, *argv: str, serves: bool = False) -> AsyncIterator[Master]:
    """A master whose clock runs, with `argv` on its command line; it listens on a port when it `serves`."""
    locustfile_folder = folder / "locustfile"
    locustfile_folder.mkdir()
    parsed = parse_flags(runner_parser(), ["--run-dir", str(folder / "runs"), *argv], env={})
    settings = make_settings(parsed, link_pb2.CommandLine())
    settings.run_dir.mkdir()
    logs = LogHub()
    sink = Sink(logs)
    cluster = Cluster(lease_ttl_s=LEASE_TTL_S, report_interval_s=1.0, sink=sink)
    locustfile = FakeLocustfile(locustfile_folder)
    conductor = Conductor(settings, cluster, cast(Locustfile, locustfile))
    sink.bind(cluster, conductor)
    async with asyncio.TaskGroup() as tasks:
        control = ControlService(
            cluster, conductor, logs, defaults=settings.options, run_dir=settings.run_dir, tasks=tasks
        )
        master = Master(settings, cluster, conductor, locustfile, sink, tasks, control)
        cluster.offer(locustfile.manifest, locustfile.bundle.reference, assignment_pb2.RunSettings())
        clock = tasks.create_task(conductor.run_clock())
        if serves:
            master.server = MasterServer(
                host="127.0.0.1", port=0, protection=make_protection(ProtectionTerms())
            )
            await master.server.serve(MasterService(cluster, conductor), control)
        try:
            yield master
        finally:
            if master.server is not None:
                await master.server.stop()
            await conductor.close()
            clock.cancel()


@asynccontextmanager
async def channel_to(
    master: Master, caller: AccessRole | None = AccessRole.CONTROL
) -> AsyncIterator[grpc.aio.Channel]:
    """A channel of its own connection, of a caller who may do all, another, or none that shows a token."""
    assert master.server is not None
    access = access_as(caller)
    options: list[tuple[str, Any]] = [*secure_options(access), ("grpc.use_local_subchannel_pool", 1)]
    target = f"127.0.0.1:{master.server.port}"
    async with grpc.aio.secure_channel(target, credentials(access), options=options) as channel:
        yield channel


def worker_stub(channel: grpc.aio.Channel) -> Any:
    """Untyped: the stub's types are those of a blocking channel."""
    return MasterServiceStub(channel)


def control_stub(channel: grpc.aio.Channel) -> Any:
    """Untyped for the same reason."""
    return ControlServiceStub(channel)
