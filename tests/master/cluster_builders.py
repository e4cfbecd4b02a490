"""A cluster with a sink that records, members made by hand, and runs for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from locust_master.cluster import Cluster
from locust_master.ledger import Ledger
from locust_master.lifecycle import Lifecycle
from locust_master.membership import Member
from locust_master.merging.totals import RunTotals
from locust_master.planning.goal import ClassShare, Goal
from locust_master.run import Run, RunRecord
from locust_master.run_options import RunOptions
from locust_protocol.schedule import Span, UserSchedule, final_users
from locust_protocol.v1 import (
    assignment_pb2,
    bundle_pb2,
    manifest_pb2,
    master_service_pb2,
    report_pb2,
)

SECOND_NS = 1_000_000_000
START_NS = 1_000 * SECOND_NS
"""Run time zero on the virtual clock."""

LEASE_TTL_S = 10.0
RUN_ID = bytes(range(16))


@dataclass
class RecordingSink:
    """A store that commits when told, and a record of all that the cluster says to the outside."""

    stored: list[tuple[bytes, int, bytes]] = field(default_factory=list)
    extras: list[tuple[str, report_pb2.Report]] = field(default_factory=list)
    connected: list[str] = field(default_factory=list)
    waiting: list[Callable[[], None]] = field(default_factory=list)

    def store_report(
        self, worker_uid: bytes, sequence: int, payload: bytes, on_stored: Callable[[], None]
    ) -> None:
        self.stored.append((worker_uid, sequence, payload))
        self.waiting.append(on_stored)

    def stored_reports(self, worker_uid: bytes) -> list[report_pb2.Report]:
        return [report_pb2.Report.FromString(each) for uid, _, each in self.stored if uid == worker_uid]

    def take_extras(self, member: Member, report: report_pb2.Report) -> None:
        self.extras.append((member.name, report))

    def worker_connected(self, member: Member) -> None:
        self.connected.append(member.name)

    def commit(self) -> None:
        """All that was handed in is on disk now."""
        waiting, self.waiting = self.waiting, []
        for on_stored in waiting:
            on_stored()


RUNNING = report_pb2.AssignmentProgress(run_id=RUN_ID, phase=assignment_pb2.PHASE_RUN)
"""What a worker says that comes back while its users run."""

FENCED = report_pb2.AssignmentProgress(run_id=RUN_ID, phase=assignment_pb2.PHASE_DRAIN)
"""What a worker says that ended its users because it could not reach the master."""


def uid_of(number: int) -> bytes:
    return number.to_bytes(16, "big")


def registration(
    number: int = 1,
    *,
    name: str | None = None,
    runners: int = 2,
    host_id: str | None = None,
    cores: int = 8,
    own_classes: list[str] | None = None,
    progress: report_pb2.AssignmentProgress | None = None,
) -> master_service_pb2.RegisterRequest:
    return master_service_pb2.RegisterRequest(
        protocol_min=1,
        protocol_max=1,
        worker_uid=uid_of(number),
        worker_name=f"w{number}" if name is None else name,
        runners=runners,
        host=master_service_pb2.HostFacts(
            hostname=f"host{number}", host_id=host_id or f"id{number}", usable_cores=cores
        ),
        own_manifest=None if own_classes is None else manifest_of(*own_classes),
        progress=progress,
        sent_ns=7,
    )


def manifest_of(*names: str) -> manifest_pb2.Manifest:
    return manifest_pb2.Manifest(user_classes=[manifest_pb2.UserClass(name=name, weight=1) for name in names])


def make_run(
    *, users: int = 10, spawn_rate: float = 10, run_time_s: float | None = None, load_shape: str = ""
) -> Run:
    """A run that is READY and has its zero at `START_NS`."""
    record = RunRecord(
        run_id=RUN_ID,
        options=RunOptions(users=users, spawn_rate=spawn_rate),
        settings=assignment_pb2.RunSettings(host="http://target"),
        bundle=bundle_pb2.BundleReference(digest=b"d" * 32),
        locustfile="locustfile.py",
        load_shape=load_shape,
        host="http://target",
        start_ns=START_NS,
        started_wall_ms=0,
    )
    return Run(
        record=record,
        goal=Goal(users, spawn_rate, (ClassShare("A", 1),)),
        deadline_us=None if run_time_s is None else round(run_time_s * 1e6),
        totals=RunTotals(),
        ledger=Ledger(RUN_ID),
        lifecycle=Lifecycle(),
    )


def report(
    sequence: int,
    *,
    run_id: bytes = RUN_ID,
    requests: int = 0,
    snapshot: bool = False,
    final: bool = False,
    generation: int = 0,
    users: int = 0,
) -> report_pb2.Report:
    """A report with `requests` untimed requests of one series in the run's first second."""
    made = report_pb2.Report(
        run_id=run_id,
        sequence=sequence,
        snapshot=snapshot,
        final=final,
        sent_ns=sequence,
        status=report_pb2.WorkerStatus(
            observed_generation=generation,
            users=[report_pb2.ClassCount(user_class="A", running=users)] if users else (),
        ),
    )
    if requests:
        if sequence == 1 or snapshot:
            made.series.add(id=1, kind=report_pb2.SERIES_KIND_REQUEST, request_type="GET", name="/")
        made.slices.add(
            width_ms=1_000,
            stats_epoch=1,
            series_id=[1],
            requests=[requests],
            failures=[0],
            untimed=[requests],
            interrupted=[0],
            response_bytes=[0],
        )
    return made


@dataclass
class Fleet:
    """A cluster on a virtual clock: `seconds` is the time on the run's timeline."""

    sink: RecordingSink = field(default_factory=RecordingSink)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.cluster = Cluster(lease_ttl_s=LEASE_TTL_S, report_interval_s=1.0, sink=self.sink)

    @property
    def now_ns(self) -> int:
        return START_NS + round(self.seconds * SECOND_NS)

    def join(self, request: master_service_pb2.RegisterRequest | None = None) -> Member:
        self.register(request or registration())
        member = self.cluster.membership.by_uid((request or registration()).worker_uid)
        assert member is not None
        return member

    def register(self, request: master_service_pb2.RegisterRequest) -> master_service_pb2.RegisterResponse:
        return self.cluster.register(request, address="ipv4:127.0.0.1:1", now_ns=self.now_ns)

    def tell(self, member: Member, made: report_pb2.Report, *, commit: bool = True) -> None:
        self.cluster.take_report(member, made, self.now_ns)
        if commit:
            self.sink.commit()

    def commands(self, member: Member) -> list[master_service_pb2.CommandsResponse]:
        """What waits for a member now; fails when nothing does."""
        return asyncio.run(asyncio.wait_for(self.cluster.mailbox(member).wait_commands(), 1))

    def assignment(self, member: Member) -> assignment_pb2.Assignment:
        """The assignment that waits for a member."""
        found = [c.assignment for c in self.commands(member) if c.HasField("assignment")]
        assert found, "no assignment waits"
        return found[0]


def started(*members: int, **options: float) -> tuple[Fleet, list[Member]]:
    """A fleet whose run began at run time zero, all assignments taken."""
    fleet = Fleet()
    joined = [fleet.join(registration(number)) for number in members]
    fleet.cluster.begin(make_run(**options))  # type: ignore[arg-type]
    for member in joined:
        fleet.commands(member)
    return fleet, joined


def goal_users(assignment: assignment_pb2.Assignment) -> int:
    """Users in the end of what a worker is told."""
    return sum(
        final_users(
            UserSchedule(
                goal.user_class,
                goal.users.base_users,
                tuple(Span(s.first_due_us, s.interval_us, s.count, s.change) for s in goal.users.spans),
            )
        )
        for goal in assignment.goals
    )


def acknowledged(fleet: Fleet, member: Member) -> list[tuple[bytes, int]]:
    return [
        (command.acknowledgement.run_id, command.acknowledgement.sequence)
        for command in fleet.commands(member)
        if command.HasField("acknowledgement")
    ]


def requests_counted(fleet: Fleet) -> int:
    assert fleet.cluster.run is not None
    return fleet.cluster.run.totals.total.sums.requests


def event_kinds(fleet: Fleet) -> list[int]:
    assert fleet.cluster.run is not None
    return [event.kind for event in fleet.cluster.run.events.events]
