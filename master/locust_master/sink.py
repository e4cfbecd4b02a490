"""What goes on from a report that was counted: to the store, to the script host, to logs and events.

Also the other way: what the script host sends. Nothing here waits; wishes of user code are queued for the one
loop that acts on them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from locust_master.cluster import Cluster
from locust_master.conductor import Conductor, ShapeGoal
from locust_master.log_hub import LogHub
from locust_master.membership import Member
from locust_master.run_summary import run_event_kind
from locust_master.view import host_snapshot, wait_host_snapshot
from locust_protocol.process.errors import OperatorError
from locust_protocol.runner.v1 import link_pb2
from locust_protocol.v1 import report_pb2, value_pb2

logger = logging.getLogger(__name__)

MAX_WISHES = 100
"""Wishes of user code that wait; a shape ticks once a second, so more means that nobody acts on them."""

USER_CODE = "locustfile"


class Sink:
    """Distributes; bound to cluster and conductor once both exist."""

    def __init__(self, logs: LogHub) -> None:
        self._logs = logs
        self._cluster: Cluster | None = None
        self._conductor: Conductor | None = None
        self._wishes: asyncio.Queue[link_pb2.FromRunner] = asyncio.Queue(MAX_WISHES)
        self.end_asked = asyncio.Event()

    def bind(self, cluster: Cluster, conductor: Conductor) -> None:
        """Says whom to tell."""
        self._cluster, self._conductor = cluster, conductor
        # Listeners read environment.stats: at the end of a run they must see all of it.
        conductor.before_moment = self.tell_host_snapshot

    # ── from workers ─────────────────────────────────────────────────────────────────────────────────────

    def store_report(
        self, worker_uid: bytes, sequence: int, payload: bytes, on_stored: Callable[[], None]
    ) -> None:
        """Writes a report to the store of the present run."""
        assert self._conductor is not None
        assert self._conductor.writer is not None
        self._conductor.keeper.look_at_losses()
        self._conductor.writer.append(worker_uid, sequence, payload, on_stored)

    def stored_reports(self, worker_uid: bytes) -> Sequence[report_pb2.Report]:
        """Returns what the store of the present run has of a worker."""
        assert self._conductor is not None
        assert self._conductor.writer is not None
        return self._conductor.writer.reports_of(worker_uid)

    def take_extras(self, member: Member, report: report_pb2.Report) -> None:
        """Hands on logs, messages, user data and events of a worker."""
        for said in report.logs:
            # A copy: the hub keeps it for long, and a part of a report holds all of it in memory.
            record = report_pb2.LogRecord()
            record.CopyFrom(said)
            record.worker = member.name
            self._logs.add(record)
        for event in report.events:
            self._take_event(member, event)
        if self._conductor is None:
            return
        host = self._conductor.locustfile.host
        for message in report.messages:
            host.tell_message(message)
        for data in report.user_data:
            host.tell_worker_data(client_id(member, data.runner_index), data.data)

    def worker_connected(self, member: Member) -> None:
        """Tells user code of each runner of a worker that joined."""
        if self._conductor is not None:
            for index in member.runner_indices:
                self._conductor.locustfile.host.tell_worker_connected(client_id(member, index), index)

    def _take_event(self, member: Member, event: report_pb2.WorkerEvent) -> None:
        text = f"{member.name}: {event.text}"
        logger.warning("%s", text)
        run = self._cluster.run if self._cluster is not None else None
        if run is not None and run.stopped_us is None:
            kind = run_event_kind(event.kind)
            run.note_worker_event(
                member.name, kind, text, maybe_lost_ms=event.maybe_lost_ms, at_ms=event.at_ms
            )
        if event.kind == report_pb2.WORKER_EVENT_KIND_QUIT_REQUESTED:
            self._wish(link_pb2.FromRunner(quit_requested=link_pb2.QuitRequested(reason=event.text)))

    # ── from the script host ─────────────────────────────────────────────────────────────────────────────

    def take_host_frame(self, frame: link_pb2.FromRunner) -> None:
        """Takes what the script host sends by itself."""
        kind = frame.WhichOneof("frame")
        if kind in ("shape_tick", "quit_requested", "start_requested"):
            self._wish(frame)
        elif kind == "report":
            for record in frame.report.logs:
                record.source = "script host"
                self._logs.add(record)
            for message in frame.report.messages:
                self._send_to_runners(message)

    def _send_to_runners(self, message: value_pb2.CustomMessage) -> None:
        assert self._cluster is not None
        for member in self._cluster.membership.live():
            if not message.HasField("to_runner") or message.to_runner in member.runner_indices:
                self._cluster.send_message(member, message)

    # ── wishes ───────────────────────────────────────────────────────────────────────────────────────────

    def _wish(self, frame: link_pb2.FromRunner) -> None:
        if self._wishes.full():
            logger.warning("too many wishes of the locustfile at once: the oldest is dropped")
            self._wishes.get_nowait()
        self._wishes.put_nowait(frame)

    async def run_wishes(self) -> None:
        """Acts on the wishes of user code, one after the other, for as long as the master lives."""
        while True:
            frame = await self._wishes.get()
            try:
                await self._act(frame)
            except OperatorError as error:
                logger.warning("the locustfile asked for what cannot be: %s", error)

    async def _act(self, frame: link_pb2.FromRunner) -> None:
        assert self._conductor is not None
        assert self._cluster is not None
        is_active = self._cluster.run is not None and self._cluster.run.lifecycle.is_active
        kind = frame.WhichOneof("frame")
        if kind == "start_requested" and not is_active:
            wish = frame.start_requested
            await self._conductor.start_from_locustfile(
                users=wish.users, spawn_rate=wish.spawn_rate, user_classes=tuple(wish.user_classes)
            )
        elif kind == "start_requested":
            wish = frame.start_requested
            await self._conductor.edit(users=wish.users, spawn_rate=wish.spawn_rate, actor=USER_CODE)
        elif kind == "quit_requested":
            logger.info("the locustfile asks for an end: %s", frame.quit_requested.reason)
            if is_active:
                await self._conductor.stop(actor=USER_CODE)
            if frame.quit_requested.end_program:
                self.end_asked.set()
        elif kind == "shape_tick":
            await self._follow_shape(frame.shape_tick, is_active=is_active)

    async def _follow_shape(self, tick: link_pb2.ShapeTick, *, is_active: bool) -> None:
        assert self._conductor is not None
        if tick.error:
            logger.error("the load shape raised: %s", tick.error)
        elif tick.stop and is_active:
            await self._conductor.stop(actor="load shape")
        elif not tick.stop:
            goal = ShapeGoal(tick.users, tick.spawn_rate, tuple(tick.user_classes))
            await self._conductor.follow_shape(goal)

    async def run_host_snapshots(self, interval_s: float) -> None:
        """Hands the merged numbers to the script host for as long as the master lives."""
        while True:
            assert self._conductor is not None
            assert self._cluster is not None
            snapshot = await wait_host_snapshot(self._cluster, self._conductor)
            await asyncio.sleep(0)
            self._conductor.locustfile.host.tell_snapshot(snapshot)
            await asyncio.sleep(interval_s)

    def tell_host_snapshot(self) -> None:
        """Hands the merged numbers to the script host now."""
        assert self._conductor is not None
        assert self._cluster is not None
        snapshot = host_snapshot(self._cluster, self._conductor, now_ns=time.monotonic_ns())
        self._conductor.locustfile.host.tell_snapshot(snapshot)


def client_id(member: Member, index: int) -> str:
    """Returns the name of a runner toward user code."""
    return f"{member.name}_{index}"
