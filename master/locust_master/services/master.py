"""MasterService: workers' calls turned into calls on the cluster, and back.

The end of a stream means nothing: a killed client looks like a finished one. Only Goodbye is a goodbye.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial
from typing import Any
from urllib.parse import unquote

from locust_master.bundle import Bundle
from locust_master.cluster import Cluster
from locust_master.conductor import Conductor
from locust_master.membership import Member
from locust_master.merging.ahead import SlicePart
from locust_master.refusals import NotHere, Refused
from locust_master.services.intake import Intake
from locust_master.services.interceptors import answers, streams
from locust_protocol.v1 import master_service_pb2, master_service_pb2_grpc

logger = logging.getLogger(__name__)

MAX_CHUNKS = 4
"""Chunks of bundles under way at one time, to all workers together: reports get through between them."""


class MasterService(master_service_pb2_grpc.MasterServiceServicer):
    """What workers call."""

    def __init__(self, cluster: Cluster, conductor: Conductor) -> None:
        self._cluster = cluster
        self._conductor = conductor
        self._turns = asyncio.Semaphore(MAX_CHUNKS)
        self._reports: Intake[Member] = Intake()

    @answers
    async def Register(self, request: master_service_pb2.RegisterRequest, context: Any) -> Any:
        """Admits a worker."""
        return self._cluster.register(request, address=unquote(context.peer()), now_ns=time.monotonic_ns())

    @streams
    async def Commands(
        self, request: master_service_pb2.CommandsRequest, context: Any
    ) -> AsyncGenerator[master_service_pb2.CommandsResponse, None]:
        """Streams commands until the session ends."""
        member = self._member(request.session_id)
        mailbox = self._cluster.mailbox(member)
        while commands := await mailbox.wait_commands():
            for command in commands:
                yield command

    @answers
    async def StreamStats(
        self, request_iterator: AsyncIterator[master_service_pb2.StreamStatsRequest], context: Any
    ) -> master_service_pb2.StreamStatsResponse:
        """Takes reports until the stream ends."""
        member = None
        try:
            async for request in request_iterator:
                take = partial(self._take_report, request, time.monotonic_ns())
                member = await self._reports.take(request.report, take)
        finally:
            if member is not None:
                self._cluster.stream_ended(member, time.monotonic_ns())
        return master_service_pb2.StreamStatsResponse()

    @streams
    async def FetchBundle(
        self, request: master_service_pb2.FetchBundleRequest, context: Any
    ) -> AsyncGenerator[master_service_pb2.FetchBundleResponse, None]:
        """Sends a bundle from an offset on."""
        self._member(request.session_id)
        bundle = self._bundle(request.digest)
        yield master_service_pb2.FetchBundleResponse(manifest=bundle.manifest)
        for data in bundle.chunks(request.offset):
            async with self._turns:
                yield master_service_pb2.FetchBundleResponse(data=data)

    @answers
    async def Goodbye(self, request: master_service_pb2.GoodbyeRequest, context: Any) -> Any:
        """Lets a worker go, when the reports that it sent before have been taken."""
        self._reports.take_all()
        member = self._cluster.membership.by_session(request.session_id)
        if member is not None:
            self._cluster.goodbye(member, request.reason, time.monotonic_ns())
        return master_service_pb2.GoodbyeResponse()

    def _take_report(
        self, request: master_service_pb2.StreamStatsRequest, received_ns: int, ahead: SlicePart | None
    ) -> Member:
        member = self._member(request.session_id)
        self._cluster.take_report(member, request.report, received_ns, ahead=ahead)
        return member

    def _member(self, session_id: int) -> Member:
        member = self._cluster.membership.by_session(session_id)
        if member is None:
            raise Refused("the session was taken over or has run out", remedy="register again")
        return member

    def _bundle(self, digest: bytes) -> Bundle:
        bundle = self._conductor.locustfile.bundle
        if bundle.digest != digest:
            raise NotHere(f"no bundle {digest.hex()[:12]} here", remedy="take the newest assignment")
        return bundle


async def wait_streams_closed(cluster: Cluster, *, timeout_s: float) -> None:
    """Waits until workers said goodbye after their streams got a last command, at most `timeout_s`."""
    try:
        async with asyncio.timeout(timeout_s):
            while cluster.membership.live():
                await cluster.revision.wait_after(cluster.revision.value)
    except TimeoutError:
        logger.info("workers did not say goodbye: %s", ", ".join(m.name for m in cluster.membership.live()))
