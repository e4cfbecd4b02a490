"""A master for tests of the agent: the real service over grpc, with the least that an agent needs behind it.

It admits, assigns what the test says, counts reports once as the schema has it, and acknowledges unless told
to hold back. The test changes `assignment` through `assign` and reads what arrived.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from google.protobuf.duration_pb2 import Duration

from locust_protocol.bundle import manifest_digest
from locust_protocol.channels import server_options
from locust_protocol.v1 import assignment_pb2, bundle_pb2, report_pb2
from locust_protocol.v1 import master_service_pb2 as messages
from locust_protocol.v1.master_service_pb2_grpc import (
    MasterServiceServicer,
    add_MasterServiceServicer_to_server,
)
from tests.support.access import server_credentials
from tests.worker.samples import ModelMaster

RUN_ID = b"r" * 16


@dataclass
class Books:
    """What one worker contributed to the run."""

    model: ModelMaster = field(default_factory=ModelMaster)
    interrupted: int = 0
    failures: int = 0


class FakeMaster(MasterServiceServicer):
    """See the module. All of it runs on the test's event loop."""

    def __init__(self, *, lease_s: float = 10.0) -> None:
        self.assignment = assignment_pb2.Assignment(generation=1, phase=assignment_pb2.PHASE_IDLE)
        self.registered: list[messages.RegisterRequest] = []
        self.goodbyes: list[str] = []
        self.status = report_pb2.WorkerStatus()
        self.events: list[report_pb2.WorkerEvent] = []
        self.logs: list[report_pb2.LogRecord] = []
        self.reports = 0
        self.holds_back = False
        self._held_back: tuple[bytes, int] | None = None
        """The last report that was not acknowledged: as with a real store, that comes in the end."""
        self.breaks_bundles_after: int | None = None
        """Bytes of a bundle after which the connection breaks."""
        self.bundle_offsets: list[int] = []
        self.refusal = ""
        self.notices: list[str] = []
        self.may_answer = asyncio.Event()
        """Register is answered while this is set."""
        self.may_answer.set()
        self.books: dict[bytes, Books] = {}
        self.epoch = 1
        self._lease_s = lease_s
        self._bundles: dict[bytes, tuple[bundle_pb2.BundleManifest, bytes]] = {}
        self._session_id = 0
        self._commands: asyncio.Queue[messages.CommandsResponse | None] = asyncio.Queue()
        self._cut = asyncio.Event()
        self._server: grpc.aio.Server | None = None
        self.port = 0

    async def start(self, port: int = 0, *, max_message_bytes: int | None = None) -> None:
        """Serves; `max_message_bytes` may be less than what it tells its workers, as with a proxy between."""
        options = dict(server_options())
        if max_message_bytes is not None:
            options["grpc.max_receive_message_length"] = max_message_bytes
        self._server = grpc.aio.server(options=list(options.items()))
        add_MasterServiceServicer_to_server(self, self._server)
        self.port = self._server.add_secure_port(f"127.0.0.1:{port}", server_credentials())
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            self.cut()
            await self._server.stop(0.2)
            self._server = None

    # ── what a test does ─────────────────────────────────────────────────────────────────────────────────

    def bundle(self, **files: str) -> bundle_pb2.BundleReference:
        """Serves files, given by name without `.py`; `locustfile` is the one that is loaded."""
        contents = {f"{name}.py": text.encode() for name, text in sorted(files.items())}
        manifest = bundle_pb2.BundleManifest(locustfiles=["locustfile.py"])
        for path, content in contents.items():
            digest = hashlib.sha256(content).digest()
            manifest.files.add(path=path, mode=0o644, size_bytes=len(content), sha256=digest)
        reference = bundle_pb2.BundleReference(digest=manifest_digest(manifest), size_bytes=1)
        self._bundles[reference.digest] = (manifest, b"".join(contents.values()))
        return reference

    def assign(self, phase: assignment_pb2.Phase.ValueType, **changes: Any) -> int:
        """Assigns something new on top of what was; returns its generation."""
        assignment = assignment_pb2.Assignment()
        assignment.CopyFrom(self.assignment)
        assignment.generation += 1
        assignment.phase = phase
        if "goals" in changes:
            assignment.ClearField("goals")
        if "settings" in changes:
            assignment.ClearField("settings")
        assignment.MergeFrom(assignment_pb2.Assignment(**changes))
        self.assignment = assignment
        self._commands.put_nowait(messages.CommandsResponse(assignment=assignment))
        return assignment.generation

    def run_users(self, users: int, *, user_class: str = "Visitor", **changes: Any) -> int:
        """Assigns a run of so many users at once, from now on."""
        goal = assignment_pb2.ClassGoal(
            user_class=user_class, users=assignment_pb2.UserSchedule(base_users=users)
        )
        changes = {"run_id": RUN_ID, "run_start_ns": time.monotonic_ns(), **changes}
        return self.assign(assignment_pb2.PHASE_RUN, goals=[goal], **changes)

    def command(self, **command: Any) -> None:
        self._commands.put_nowait(messages.CommandsResponse(**command))

    def cut(self) -> None:
        """Ends the streams of the session; the agent has to come back."""
        self._cut.set()
        self._cut = asyncio.Event()

    def forget(self) -> None:
        """What a master that lost its store knows."""
        self.books.clear()
        self.epoch += 1

    @property
    def running(self) -> int:
        return sum(count.running for count in self.status.users)

    def requests(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for books in self.books.values():
            total.update(books.model.requests)
        return total

    def seen(self, kind: report_pb2.WorkerEventKind.ValueType) -> list[report_pb2.WorkerEvent]:
        return [event for event in self.events if event.kind == kind]

    # ── the service ──────────────────────────────────────────────────────────────────────────────────────

    async def Register(self, request: messages.RegisterRequest, context: Any) -> messages.RegisterResponse:
        received_ns = time.monotonic_ns()
        if self.refusal:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, self.refusal)
        self.registered.append(request)
        await self.may_answer.wait()
        self._session_id += 1
        self._commands = asyncio.Queue()
        self._commands.put_nowait(messages.CommandsResponse(assignment=self.assignment))
        books = self.books.get(request.worker_uid)
        return messages.RegisterResponse(
            protocol=1,
            session_id=self._session_id,
            master_epoch=self.epoch,
            lease_ttl=Duration(seconds=int(self._lease_s), nanos=int(self._lease_s % 1 * 1e9)),
            report_interval=Duration(nanos=200_000_000),
            max_unacked_reports=2,
            stats_known=books is not None or request.progress.last_sequence == 0,
            acknowledged_sequence=books.model.last_sequence if books else 0,
            runner_indices=range(request.runners),
            max_report_bytes=1 << 20,
            worker_name=request.worker_name,
            notices=self.notices,
            clock=report_pb2.ClockSample(
                worker_sent_ns=request.sent_ns,
                master_received_ns=received_ns,
                master_sent_ns=time.monotonic_ns(),
            ),
        )

    async def Commands(
        self, request: messages.CommandsRequest, context: Any
    ) -> AsyncIterator[messages.CommandsResponse]:
        cut, commands = self._cut, self._commands
        while True:
            command = asyncio.ensure_future(commands.get())
            ended = asyncio.ensure_future(cut.wait())
            await asyncio.wait([command, ended], return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
            if not command.done() or (last := command.result()) is None:
                command.cancel()
                return
            yield last

    async def StreamStats(
        self, request_iterator: AsyncIterator[messages.StreamStatsRequest], context: Any
    ) -> messages.StreamStatsResponse:
        uid = self.registered[-1].worker_uid
        cut = self._cut
        async for request in request_iterator:
            if cut.is_set() or request.session_id != self._session_id:
                break
            self._take(uid, request.report)
        return messages.StreamStatsResponse()

    async def FetchBundle(
        self, request: messages.FetchBundleRequest, context: Any
    ) -> AsyncIterator[messages.FetchBundleResponse]:
        manifest, content = self._bundles[request.digest]
        self.bundle_offsets.append(request.offset)
        yield messages.FetchBundleResponse(manifest=manifest)
        most = self.breaks_bundles_after
        end = len(content) if most is None else min(len(content), request.offset + most)
        for start in range(request.offset, end, 1000):
            yield messages.FetchBundleResponse(data=content[start : min(end, start + 1000)])
        if end < len(content):
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the connection broke")

    async def Goodbye(self, request: messages.GoodbyeRequest, context: Any) -> messages.GoodbyeResponse:
        self.goodbyes.append(request.reason)
        return messages.GoodbyeResponse()

    def _take(self, uid: bytes, report: report_pb2.Report) -> None:
        received_ns = time.monotonic_ns()
        self.reports += 1
        self.status = report.status
        self.logs += report.logs
        sequence = 0
        if report.sequence:
            books = self.books.setdefault(uid, Books())
            is_new = report.sequence > books.model.last_sequence
            if not books.model.take(report):
                expected = books.model.last_sequence + 1
                self.command(resync=messages.Resync(run_id=report.run_id, expected_sequence=expected))
                return
            sequence = books.model.last_sequence
            if is_new:
                self.events += report.events
                if report.snapshot:
                    books.interrupted = books.failures = 0
                books.interrupted += sum(sum(each.interrupted) for each in report.slices)
                books.failures += sum(sum(each.failures) for each in report.slices)
        else:
            self.events += report.events
        if not self.holds_back:
            clock = report_pb2.ClockSample(
                worker_sent_ns=report.sent_ns,
                master_received_ns=received_ns,
                master_sent_ns=time.monotonic_ns(),
            )
            if sequence:
                self._held_back = None
            run_id, sequence = self._held_back or (report.run_id if sequence else b"", sequence)
            self._held_back = None
            acknowledgement = messages.ReportAcknowledgement(run_id=run_id, sequence=sequence, clock=clock)
            self.command(acknowledgement=acknowledgement)
        elif sequence:
            self._held_back = (report.run_id, sequence)
