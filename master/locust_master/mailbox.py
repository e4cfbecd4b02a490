"""What waits to be sent to one worker.

Depth one for what only matters in its newest form (assignment, acknowledgement by run), so that a slow worker
can make nothing grow; bounded for custom messages, the oldest of which is dropped and counted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from locust_protocol.v1 import assignment_pb2, master_service_pb2, value_pb2

MAX_CUSTOM_MESSAGES = 1_000
"""Custom messages that wait for one worker; they are delivered at most once anyway."""


class Mailbox:
    """Commands for one session, in order: assignment, settings, resync, acknowledgements, messages, end."""

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self._make_assignment: Callable[[], assignment_pb2.Assignment] | None = None
        self._pause_s = 0.0
        self._next_assignment_s = 0.0
        self._reminder: asyncio.TimerHandle | None = None
        self._settings: master_service_pb2.SessionSettings | None = None
        self._resync: master_service_pb2.Resync | None = None
        self._acknowledgements: dict[bytes, master_service_pb2.ReportAcknowledgement] = {}
        self._messages: deque[value_pb2.CustomMessage] = deque(maxlen=MAX_CUSTOM_MESSAGES)
        self._last: master_service_pb2.CommandsResponse | None = None
        self._is_closed = False
        self.dropped_messages = 0

    def put_assignment(self, make: Callable[[], assignment_pb2.Assignment], *, pause_s: float = 0.0) -> None:
        """Asks for an assignment, made when it is taken; the one after it waits for `pause_s`."""
        if not self._is_closed:
            self._make_assignment, self._pause_s = make, pause_s
            self._news.set()

    def put_settings(self, settings: master_service_pb2.SessionSettings) -> None:
        """Replaces the settings that wait."""
        if not self._is_closed:
            self._settings = settings
            self._news.set()

    def put_resync(self, resync: master_service_pb2.Resync) -> None:
        """Asks for a snapshot."""
        if not self._is_closed:
            self._resync = resync
            self._news.set()

    def put_acknowledgement(self, acknowledgement: master_service_pb2.ReportAcknowledgement) -> None:
        """Replaces the acknowledgement of the same run that waits; they are cumulative."""
        if not self._is_closed:
            self._acknowledgements[acknowledgement.run_id] = acknowledgement
            self._news.set()

    def put_message(self, message: value_pb2.CustomMessage) -> None:
        """Queues a custom message."""
        if self._is_closed:
            return
        if len(self._messages) == MAX_CUSTOM_MESSAGES:
            self.dropped_messages += 1
        self._messages.append(message)
        self._news.set()

    def close(self, last: master_service_pb2.CommandsResponse | None = None) -> None:
        """Ends the stream after what waits, with `last` as its last command; what is put later is dropped."""
        if not self._is_closed:
            self._last, self._is_closed = last, True
        self._news.set()

    async def wait_commands(self) -> list[master_service_pb2.CommandsResponse]:
        """Waits for news and takes it; an empty list means that the stream is over."""
        while True:
            await self._news.wait()
            self._news.clear()
            commands = self._take(asyncio.get_running_loop())
            if commands or self._is_closed:
                if self._is_closed:
                    self._news.set()
                return commands

    def _take(self, loop: asyncio.AbstractEventLoop) -> list[master_service_pb2.CommandsResponse]:
        response = master_service_pb2.CommandsResponse
        commands = []
        if (assignment := self._due_assignment(loop)) is not None:
            commands.append(response(assignment=assignment))
        if self._settings is not None:
            commands.append(response(settings=self._settings))
        if self._resync is not None:
            commands.append(response(resync=self._resync))
        commands += [response(acknowledgement=ack) for ack in self._acknowledgements.values()]
        commands += [response(custom_message=message) for message in self._messages]
        if self._last is not None:
            commands.append(self._last)
        self._settings = self._resync = self._last = None
        self._acknowledgements.clear()
        self._messages.clear()
        return commands

    def _due_assignment(self, loop: asyncio.AbstractEventLoop) -> assignment_pb2.Assignment | None:
        make, now_s = self._make_assignment, loop.time()
        if make is None:
            return None
        if now_s < self._next_assignment_s and not self._is_closed:
            if self._reminder is None:
                self._reminder = loop.call_at(self._next_assignment_s, self._remind)
            return None
        self._make_assignment = None
        self._next_assignment_s = now_s + self._pause_s
        return make()

    def _remind(self) -> None:
        self._reminder = None
        self._news.set()
