"""ControlService: what clients ask, turned into wishes of the conductor and views of the cluster."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from locust_master.cluster import Cluster
from locust_master.conductor import Conductor
from locust_master.log_hub import LogHub
from locust_master.outputs.export import export
from locust_master.refusals import NotHere, TooMany
from locust_master.run import Run
from locust_master.run_options import MAX_TEXT_CHARS, RunOptions
from locust_master.services.changes import Changes
from locust_master.services.interceptors import answers, streams
from locust_master.store.reader import list_runs
from locust_master.version import SOFTWARE_VERSION
from locust_master.view import ViewStream, status_snapshot
from locust_protocol.limits import MAX_WATCHERS
from locust_protocol.process.errors import UsageError
from locust_protocol.v1 import control_service_pb2 as messages
from locust_protocol.v1 import control_service_pb2_grpc

logger = logging.getLogger(__name__)

DEFAULT_INTERVAL_S = 1.0
MIN_INTERVAL_S = 0.1
"""Seconds between two snapshots at least, whatever a client asks."""

MAX_LISTED_RUNS = 1_000
EXPORT_CHUNK_BYTES = 256 << 10


class ControlService(control_service_pb2_grpc.ControlServiceServicer):
    """What clients call."""

    def __init__(
        self,
        cluster: Cluster,
        conductor: Conductor,
        logs: LogHub,
        *,
        defaults: RunOptions,
        run_dir: Path,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._cluster = cluster
        self._conductor = conductor
        self._logs = logs
        self._defaults = defaults
        self._run_dir = run_dir
        self._changes = Changes(cluster, tasks)
        self._watchers = 0
        self.shut_down_asked = asyncio.Event()

    @answers
    async def GetStatus(self, request: messages.GetStatusRequest, context: Any) -> Any:
        """Returns the state without statistics."""
        return messages.GetStatusResponse(
            snapshot=status_snapshot(self._cluster, self._conductor, now_ns=time.monotonic_ns()),
            software_version=SOFTWARE_VERSION,
        )

    @answers
    async def GetManifest(self, request: messages.GetManifestRequest, context: Any) -> Any:
        """Returns what the locustfile offers."""
        return messages.GetManifestResponse(
            manifest=self._conductor.locustfile.manifest, defaults=self._defaults.to_message()
        )

    @answers
    async def StartRun(self, request: messages.StartRunRequest, context: Any) -> Any:
        """Starts a run."""

        async def start(actor: str) -> Run:
            return await self._conductor.start(self._defaults.overridden(request.options), actor=actor)

        return messages.StartRunResponse(result=await self._changes.make(request.precondition, start))

    @answers
    async def EditRun(self, request: messages.EditRunRequest, context: Any) -> Any:
        """Changes users and spawn rate."""

        async def edit(actor: str) -> Run:
            return await self._conductor.edit(
                users=request.users if request.HasField("users") else None,
                spawn_rate=request.spawn_rate if request.HasField("spawn_rate") else None,
                actor=actor,
            )

        return messages.EditRunResponse(result=await self._changes.make(request.precondition, edit))

    @answers
    async def StopRun(self, request: messages.StopRunRequest, context: Any) -> Any:
        """Stops the run."""

        async def stop(actor: str) -> Run:
            timeout_ms = request.stop_timeout_ms if request.HasField("stop_timeout_ms") else None
            return await self._conductor.stop(actor=actor, stop_timeout_ms=timeout_ms)

        return messages.StopRunResponse(result=await self._changes.make(request.precondition, stop))

    @answers
    async def ResetStatistics(self, request: messages.ResetStatisticsRequest, context: Any) -> Any:
        """Starts a new epoch."""

        async def reset(actor: str) -> Run:
            return await self._conductor.reset_statistics(actor=actor)

        return messages.ResetStatisticsResponse(result=await self._changes.make(request.precondition, reset))

    @answers
    async def MarkRun(self, request: messages.MarkRunRequest, context: Any) -> Any:
        """Marks this moment."""

        async def mark(actor: str) -> Run:
            if not 0 < len(request.text) <= MAX_TEXT_CHARS:
                raise UsageError(f"a mark has 1 to {MAX_TEXT_CHARS} characters", remedy="change its text")
            return self._conductor.mark(request.text, actor=actor)

        return messages.MarkRunResponse(result=await self._changes.make(request.precondition, mark))

    @answers
    async def ShutDown(self, request: messages.ShutDownRequest, context: Any) -> Any:
        """Ends the master."""

        async def shut_down(actor: str) -> None:
            logger.info("shut down asked for actor=%s", actor)
            self.shut_down_asked.set()

        return messages.ShutDownResponse(result=await self._changes.make(request.precondition, shut_down))

    @streams
    async def Watch(
        self, request: messages.WatchRequest, context: Any
    ) -> AsyncGenerator[messages.WatchResponse, None]:
        """Streams snapshots; a slow reader skips."""
        if self._watchers >= MAX_WATCHERS:
            raise TooMany(f"{MAX_WATCHERS} clients watch already", remedy="close one")
        self._watchers += 1
        try:
            stream = ViewStream(self._cluster, self._conductor, request)
            interval_s = DEFAULT_INTERVAL_S
            if request.HasField("min_interval"):
                interval_s = max(MIN_INTERVAL_S, request.min_interval.ToNanoseconds() / 1e9)
            while True:
                yield messages.WatchResponse(snapshot=await stream.wait_next())
                await asyncio.sleep(interval_s)
        finally:
            self._watchers -= 1

    @streams
    async def WatchLogs(
        self, request: messages.WatchLogsRequest, context: Any
    ) -> AsyncGenerator[messages.WatchLogsResponse, None]:
        """Streams log records."""
        async for records, skipped in self._logs.follow(
            past_records=request.past_records, min_level=request.min_level
        ):
            yield messages.WatchLogsResponse(records=records, skipped=skipped)

    @streams
    async def WatchEvents(
        self, request: messages.WatchEventsRequest, context: Any
    ) -> AsyncGenerator[messages.WatchEventsResponse, None]:
        """Streams events of the run."""
        seen, run_seen, revision = request.after_id, self._cluster.run, 0
        while True:
            run = self._cluster.run
            if run is not run_seen:
                seen, run_seen = 0, run
            if run is not None and (events := run.events.after(seen)):
                seen = events[-1].id
                yield messages.WatchEventsResponse(events=events)
            revision = await self._cluster.revision.wait_after(revision)

    @answers
    async def ListRuns(self, request: messages.ListRunsRequest, context: Any) -> Any:
        """Lists stored runs."""
        limit = min(request.limit or 100, MAX_LISTED_RUNS)
        return messages.ListRunsResponse(runs=await asyncio.to_thread(list_runs, self._run_dir, limit))

    @streams
    async def Export(
        self, request: messages.ExportRequest, context: Any
    ) -> AsyncGenerator[messages.ExportResponse, None]:
        """Streams a report."""
        run = self._cluster.run
        if run is None or (request.run_id and request.run_id != run.record.run_id):
            raise NotHere("no such run is loaded", remedy="export the present run")
        data = export(run, request.format, now_ns=time.monotonic_ns())
        for start in range(0, len(data), EXPORT_CHUNK_BYTES):
            yield messages.ExportResponse(data=data[start : start + EXPORT_CHUNK_BYTES])
