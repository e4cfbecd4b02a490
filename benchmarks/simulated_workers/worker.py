"""One simulated worker: the real protocol without users.

It joins, follows assignments by saying so, and reports prepared slices in the rhythm that the master sets. It
keeps what is not acknowledged and sends it again after a reconnect, as an agent does, and counts whatever
ought not to happen to it.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import grpc
import grpc.aio

from benchmarks.simulated_workers.samples import Load, definitions
from locust_protocol.channels import open_channel
from locust_protocol.security.access import Access
from locust_protocol.v1 import assignment_pb2, master_service_pb2, report_pb2
from locust_protocol.v1.master_service_pb2_grpc import MasterServiceStub

RUNNERS = 2
RETRY_S = 0.2
LOOK_S = 0.25
"""Seconds between two looks at whether the lease is over."""

MAX_SECONDS_PER_REPORT = 30
"""Slices in one report; what a stalled master made wait goes out in several."""


@dataclass(slots=True)
class Tally:
    """What all workers of a fleet saw."""

    reports: int = 0
    report_bytes: int = 0
    samples: int = 0
    acknowledgements: int = 0
    assignments: int = 0
    sessions: int = 0
    leases_lost: int = 0
    resyncs: int = 0
    bundles: int = 0
    bundle_bytes: int = 0
    finals: int = 0
    longest_silence_s: float = 0.0


class SimulatedWorker:
    """One of many in a process, with a connection of its own."""

    def __init__(
        self,
        number: int,
        target: str,
        access: Access,
        *,
        load: Load,
        slices: Sequence[report_pb2.Slice],
        tally: Tally,
    ) -> None:
        self._number = number
        self._uid = number.to_bytes(16, "big")
        self._load = load
        self._slices = slices
        self._tally = tally
        self._channel = open_channel(target, access, ("grpc.use_local_subchannel_pool", 1))
        self._stub = MasterServiceStub(self._channel)
        self._session = _Session()
        self._run = _RunPart()
        self.fetches_bundles = False

    async def live(self, *, after_s: float = 0.0) -> None:
        """Joins after a while, and goes on until it is cancelled."""
        await asyncio.sleep(after_s)
        while True:
            try:
                await self._register()
                async with asyncio.TaskGroup() as tasks:
                    stats = self._stub.StreamStats()
                    tasks.create_task(self._read(tasks))
                    tasks.create_task(self._write(stats))
                    tasks.create_task(self._watch(stats))
                    tasks.create_task(self._watch_lease())
            except* grpc.aio.AioRpcError:
                await asyncio.sleep(RETRY_S)

    async def goodbye(self) -> None:
        """Leaves the cluster."""
        await self._stub.Goodbye(
            master_service_pb2.GoodbyeRequest(session_id=self._session.id, reason="end of the bench"),
            timeout=5,
        )
        await self._channel.close()

    # ── session ──────────────────────────────────────────────────────────────────────────────────────────

    async def _register(self) -> None:
        sent_s = time.monotonic()
        response = await self._stub.Register(
            master_service_pb2.RegisterRequest(
                protocol_min=1,
                protocol_max=1,
                software_version="simulated",
                worker_uid=self._uid,
                worker_name=f"sim{self._number}",
                host=master_service_pb2.HostFacts(
                    hostname=f"host{self._number}", host_id=f"id{self._number}", usable_cores=RUNNERS
                ),
                runners=RUNNERS,
                sent_ns=time.monotonic_ns(),
                progress=report_pb2.AssignmentProgress(
                    run_id=self._run.run_id, last_sequence=self._run.sequence
                ),
            ),
            timeout=30,
            wait_for_ready=True,
        )
        self._tally.sessions += 1
        self._session = _Session(
            id=response.session_id,
            interval_s=response.report_interval.ToTimedelta().total_seconds(),
            lease_ttl_s=response.lease_ttl.ToTimedelta().total_seconds(),
            renewed_s=sent_s,
            indices=tuple(response.runner_indices),
        )
        if response.stats_known:
            self._run.acknowledge(response.acknowledged_sequence)
        self._run.is_to_send_again = True

    async def _read(self, tasks: asyncio.TaskGroup) -> None:
        commands = self._stub.Commands(master_service_pb2.CommandsRequest(session_id=self._session.id))
        async for command in commands:
            kind = command.WhichOneof("command")
            if kind == "acknowledgement":
                self._take_acknowledgement(command.acknowledgement)
            elif kind == "assignment":
                self._take_assignment(command.assignment, tasks)
            elif kind == "settings":
                self._session.interval_s = command.settings.report_interval.ToTimedelta().total_seconds()
            elif kind == "resync":
                self._tally.resyncs += 1

    def _take_acknowledgement(self, said: master_service_pb2.ReportAcknowledgement) -> None:
        session, now_s = self._session, time.monotonic()
        self._tally.acknowledgements += 1
        silence_s = now_s - session.renewed_s
        self._tally.longest_silence_s = max(self._tally.longest_silence_s, silence_s)
        session.renewed_s = max(session.renewed_s, said.clock.worker_sent_ns / 1e9)
        session.is_fenced = False
        if said.run_id == self._run.run_id:
            self._run.acknowledge(said.sequence)

    def _take_assignment(self, assignment: assignment_pb2.Assignment, tasks: asyncio.TaskGroup) -> None:
        self._tally.assignments += 1
        if assignment.run_id and assignment.run_id != self._run.run_id:
            self._run = _RunPart(run_id=assignment.run_id)
        self._run.assignment = assignment
        if self.fetches_bundles and assignment.HasField("bundle"):
            self.fetches_bundles = False
            tasks.create_task(self._fetch(assignment.bundle.digest))

    async def _fetch(self, digest: bytes) -> None:
        request = master_service_pb2.FetchBundleRequest(session_id=self._session.id, digest=digest)
        async for response in self._stub.FetchBundle(request):
            self._tally.bundle_bytes += len(response.data)
        self._tally.bundles += 1

    async def _watch(self, stats: grpc.aio.StreamUnaryCall) -> None:  # type: ignore[type-arg]
        await stats

    async def _watch_lease(self) -> None:
        session = self._session
        while True:
            await asyncio.sleep(LOOK_S)
            if not session.is_fenced and time.monotonic() - session.renewed_s > session.lease_ttl_s:
                session.is_fenced = True
                self._tally.leases_lost += 1

    # ── reports ──────────────────────────────────────────────────────────────────────────────────────────

    async def _write(self, stats: grpc.aio.StreamUnaryCall) -> None:  # type: ignore[type-arg]
        run, session = self._run, self._session
        for report in list(run.unacked) if run.is_to_send_again else ():
            await self._send(stats, report)
        run.is_to_send_again = False
        # Real workers start at moments of their own.
        next_s = time.monotonic() + session.interval_s * (self._number * 0.618034 % 1)
        while True:
            await asyncio.sleep(max(0.0, next_s - time.monotonic()))
            next_s = max(next_s + session.interval_s, time.monotonic() + session.interval_s / 2)
            for report in self._due():
                await self._send(stats, report)

    async def _send(self, stats: grpc.aio.StreamUnaryCall, report: report_pb2.Report) -> None:  # type: ignore[type-arg]
        report.status.CopyFrom(self._status())
        report.sent_ns = time.monotonic_ns()
        request = master_service_pb2.StreamStatsRequest(session_id=self._session.id, report=report)
        self._tally.reports += 1
        self._tally.report_bytes += request.ByteSize()
        await stats.write(request)

    def _due(self) -> list[report_pb2.Report]:
        run = self._run
        if not run.run_id or not run.has_room:
            return [report_pb2.Report()]
        is_draining = run.assignment.phase == assignment_pb2.PHASE_DRAIN
        if run.is_final or run.assignment.phase not in (assignment_pb2.PHASE_RUN, assignment_pb2.PHASE_DRAIN):
            return [report_pb2.Report()]
        report = report_pb2.Report(run_id=run.run_id, sequence=run.sequence + 1, final=is_draining)
        if run.sequence == 0:
            report.MergeFrom(definitions(self._load))
        seconds = (time.monotonic_ns() - run.assignment.run_start_ns) // 1_000_000_000
        for second in range(run.next_second, min(seconds, run.next_second + MAX_SECONDS_PER_REPORT)):
            each = report.slices.add()
            each.CopyFrom(self._slices[(self._number * 7 + second) % len(self._slices)])
            each.start_ms = second * 1_000
            each.stats_epoch = run.assignment.stats_epoch
            run.next_second = second + 1
            self._tally.samples += self._load.per_second
        run.sequence += 1
        run.is_final = is_draining
        self._tally.finals += is_draining
        run.unacked.append(report)
        return [report]

    def _status(self) -> report_pb2.WorkerStatus:
        users = self._run.users()
        status = report_pb2.WorkerStatus(
            state=report_pb2.WORKER_STATE_RUNNING if users else report_pb2.WORKER_STATE_READY,
            observed_generation=self._run.assignment.generation,
            users=[report_pb2.ClassCount(user_class=name, running=count) for name, count in users.items()],
            cpu_percent=40.0,
            memory_bytes=120_000_000,
            agent_lag_us=900,
            unacked_reports=len(self._run.unacked),
        )
        for slot, index in enumerate(self._session.indices):
            status.runners.add(
                slot=slot,
                index=index,
                pid=10_000 + slot,
                state=report_pb2.RUNNER_STATE_READY,
                lag_p50_us=300,
                lag_p99_us=1_500,
                lag_max_us=2_500,
                cpu_percent=35.0,
                memory_bytes=50_000_000,
            )
        return status


@dataclass(slots=True)
class _Session:
    id: int = 0
    interval_s: float = 1.0
    lease_ttl_s: float = 10.0
    renewed_s: float = math.inf
    indices: tuple[int, ...] = ()
    is_fenced: bool = False


class _RunPart:
    """This worker's part of one run."""

    def __init__(self, run_id: bytes = b"") -> None:
        self.run_id = run_id
        self.sequence = 0
        self.next_second = 0
        self.is_final = False
        self.is_to_send_again = False
        self.assignment = assignment_pb2.Assignment()
        self.unacked: deque[report_pb2.Report] = deque()

    @property
    def has_room(self) -> bool:
        """True while another report may be under way."""
        return len(self.unacked) < 2

    def acknowledge(self, sequence: int) -> None:
        """Forgets what is stored."""
        while self.unacked and self.unacked[0].sequence <= sequence:
            self.unacked.popleft()

    def users(self) -> dict[str, int]:
        """Users by class that the assignment wants now; they all come at once when they are due."""
        if self.assignment.phase != assignment_pb2.PHASE_RUN:
            return {}
        at_us = (time.monotonic_ns() - self.assignment.run_start_ns) // 1_000
        return {goal.user_class: _users_at(goal.users, at_us) for goal in self.assignment.goals}


def _users_at(schedule: assignment_pb2.UserSchedule, at_us: int) -> int:
    users = schedule.base_users
    for span in schedule.spans:
        if at_us >= span.first_due_us:
            due = span.count
            if span.interval_us:
                due = min(due, (at_us - span.first_due_us) // span.interval_us + 1)
            users += due * span.change
    return max(0, users)
