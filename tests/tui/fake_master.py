"""A small ControlService for tests of the screens: what is pushed is what they see, over real grpc.aio.

It keeps one whole snapshot, streams it to whoever watches, notes every request, and answers with the
refusals that a test sets. It decides nothing: a test changes the state itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

import grpc
import grpc.aio

from locust_protocol.channels import server_options
from locust_protocol.v1 import control_service_pb2 as control
from locust_protocol.v1.control_service_pb2_grpc import (
    ControlServiceServicer,
    add_ControlServiceServicer_to_server,
)
from locust_protocol.v1.snapshot_pb2 import Snapshot
from tests.support.access import server_credentials

Refusal = tuple[grpc.StatusCode, str]


class FakeMaster(ControlServiceServicer):
    """`async with FakeMaster(snapshot, manifest) as master:` serves on `master.target`."""

    def __init__(self, snapshot: Snapshot, manifest: control.GetManifestResponse, *, port: int = 0) -> None:
        self.snapshot = snapshot
        self.manifest = manifest
        self.refusals: dict[str, Refusal] = {}
        self.started: list[control.StartRunRequest] = []
        self.edited: list[control.EditRunRequest] = []
        self.stopped: list[control.StopRunRequest] = []
        self.resets: list[control.ResetStatisticsRequest] = []
        self.marks: list[control.MarkRunRequest] = []
        self.shut_downs: list[control.ShutDownRequest] = []
        self.port = port
        self._queues: set[asyncio.Queue[Snapshot]] = set()
        self._server: grpc.aio.Server | None = None

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = grpc.aio.server(options=server_options())
        add_ControlServiceServicer_to_server(self, self._server)
        self.port = self._server.add_secure_port(f"127.0.0.1:{self.port}", server_credentials())
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        await self._server.stop(None)

    def push(self, change: Snapshot) -> None:
        """Sends `change` to all who watch; a whole one is what newcomers get from now on."""
        if change.complete:
            self.snapshot = change
        for queue in self._queues:
            queue.put_nowait(change)

    async def Watch(
        self,
        request: control.WatchRequest,
        context: grpc.aio.ServicerContext[control.WatchRequest, control.WatchResponse],
    ) -> AsyncIterator[control.WatchResponse]:
        await self._refuse_if_asked("Watch", context)
        queue: asyncio.Queue[Snapshot] = asyncio.Queue()
        self._queues.add(queue)
        try:
            yield control.WatchResponse(snapshot=self.snapshot)
            while True:
                yield control.WatchResponse(snapshot=await queue.get())
        finally:
            self._queues.discard(queue)

    async def GetManifest(self, request, context):  # type: ignore[no-untyped-def]
        await self._refuse_if_asked("GetManifest", context)
        return self.manifest

    async def StartRun(self, request, context):  # type: ignore[no-untyped-def]
        self.started.append(request)
        await self._refuse_if_asked("StartRun", context)
        return control.StartRunResponse(result=self._result())

    async def EditRun(self, request, context):  # type: ignore[no-untyped-def]
        self.edited.append(request)
        await self._refuse_if_asked("EditRun", context)
        return control.EditRunResponse(result=self._result())

    async def StopRun(self, request, context):  # type: ignore[no-untyped-def]
        self.stopped.append(request)
        await self._refuse_if_asked("StopRun", context)
        return control.StopRunResponse(result=self._result())

    async def ResetStatistics(self, request, context):  # type: ignore[no-untyped-def]
        self.resets.append(request)
        await self._refuse_if_asked("ResetStatistics", context)
        return control.ResetStatisticsResponse(result=self._result())

    async def MarkRun(self, request, context):  # type: ignore[no-untyped-def]
        self.marks.append(request)
        await self._refuse_if_asked("MarkRun", context)
        return control.MarkRunResponse(result=self._result())

    async def ShutDown(self, request, context):  # type: ignore[no-untyped-def]
        self.shut_downs.append(request)
        await self._refuse_if_asked("ShutDown", context)
        return control.ShutDownResponse(result=self._result())

    async def GetStatus(self, request, context):  # type: ignore[no-untyped-def]
        return control.GetStatusResponse(snapshot=self.snapshot)

    def WatchLogs(self, request, context):  # type: ignore[no-untyped-def]
        raise NotImplementedError

    def WatchEvents(self, request, context):  # type: ignore[no-untyped-def]
        raise NotImplementedError

    def ListRuns(self, request, context):  # type: ignore[no-untyped-def]
        raise NotImplementedError

    def Export(self, request, context):  # type: ignore[no-untyped-def]
        raise NotImplementedError

    async def _refuse_if_asked(self, method: str, context: grpc.aio.ServicerContext) -> None:  # type: ignore[type-arg]
        if method in self.refusals:
            code, reason = self.refusals[method]
            await context.abort(code, reason)

    def _result(self) -> control.CommandResult:
        return control.CommandResult(generation=self.snapshot.generation + 1, run_id=self.snapshot.run.run_id)
