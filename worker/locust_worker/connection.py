"""Carries out what the session decides: registers, opens and closes streams, tells the operator.

The session itself is data (`session.py`); this is its hands. Everything that comes back from the network is
posted to the agent's one loop, with the session that it belongs to.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from locust_protocol.v1 import master_service_pb2, report_pb2
from locust_worker import session
from locust_worker.master_link import MasterLink, MasterRefuses, MasterUnreachable

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RegisterAnswered:
    """The master admits this worker. Times are those of this machine's monotonic clock."""

    request: master_service_pb2.RegisterRequest
    response: master_service_pb2.RegisterResponse
    sent_ns: int
    received_ns: int


@dataclass(frozen=True, slots=True)
class CommandArrived:
    """The master says something in a session."""

    session_id: int
    command: master_service_pb2.CommandsResponse
    received_ns: int


ConnectionEvent = RegisterAnswered | CommandArrived | session.SessionEvent

AgentEffect = session.Fence | session.Drain | session.End
"""What of a session's effects is not about the connection."""


class Connection:
    """The session with the master, and the tasks that serve it."""

    def __init__(
        self,
        link: MasterLink,
        settings: session.SessionSettings,
        *,
        make_request: Callable[[], master_service_pb2.RegisterRequest],
        post: Callable[[ConnectionEvent], None],
        tasks: asyncio.TaskGroup,
    ) -> None:
        self.state = session.SessionState(settings)
        self.link = link
        self._make_request = make_request
        self._post = post
        self._tasks = tasks
        self._outgoing: asyncio.Queue[report_pb2.Report] | None = None
        self._streams: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """True while reports can be sent."""
        return self._outgoing is not None and session.has_session(self.state)

    def handle(self, event: session.SessionEvent) -> list[AgentEffect]:
        """Takes an event of the session; returns what the agent has to do about it."""
        self.state, effects = session.step(self.state, event, time.monotonic())
        rest: list[AgentEffect] = []
        for effect in effects:
            match effect:
                case session.Register(delay_s):
                    self._tasks.create_task(self._register(delay_s), name="register")
                case session.OpenStreams():
                    self._close_streams()
                    self._outgoing = asyncio.Queue()
                    self._streams = self._tasks.create_task(
                        self._serve(self.state.session_id, self._outgoing), name="streams"
                    )
                case session.CloseStreams():
                    self._close_streams()
                case session.Say(text, is_warning):
                    logger.log(logging.WARNING if is_warning else logging.INFO, "%s", text)
                case _:
                    rest.append(effect)
        return rest

    def send(self, report: report_pb2.Report) -> None:
        """Queues a report; how many there may be is the outbox's business and the lease's."""
        if self._outgoing is not None:
            self._outgoing.put_nowait(report)

    async def goodbye(self, reason: str) -> None:
        """Says goodbye when there is somebody to say it to; the session may have ended just for that."""
        if self._outgoing is not None and self.state.session_id:
            await self.link.goodbye(self.state.session_id, reason)

    def _close_streams(self) -> None:
        if self._streams is not None:
            self._streams.cancel()
        self._streams = self._outgoing = None

    async def _register(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        request = self._make_request()
        request.sent_ns = sent_ns = time.monotonic_ns()
        try:
            response = await self.link.register(request)
        except MasterUnreachable as error:
            self._post(session.Unreachable(str(error)))
        except MasterRefuses as error:
            self._post(session.RefusedForGood(str(error)))
        else:
            self._post(RegisterAnswered(request, response, sent_ns, time.monotonic_ns()))

    async def _serve(self, session_id: int, outgoing: asyncio.Queue[report_pb2.Report]) -> None:
        def take(command: master_service_pb2.CommandsResponse) -> None:
            self._post(CommandArrived(session_id, command, time.monotonic_ns()))

        end = await self.link.serve(session_id, outgoing, take)
        self._post(session.StreamsEnded(session_id, end.reason, end.is_rejection, end.is_too_large))
