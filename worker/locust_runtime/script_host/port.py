"""What user code can have done through `environment.runner` on the master: wishes, sent to the master.

Only the master decides about a run; nothing here changes any state but what is asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gevent.event import Event

from locust_protocol.runner.v1.link_pb2 import FromRunner, QuitRequested, StartRequested
from locust_protocol.v1.value_pb2 import CustomMessage
from locust_runtime.exceptions import LocustError
from locust_runtime.script_host.uplink import Uplink
from locust_runtime.values import to_value

if TYPE_CHECKING:
    from locust_runtime.users import User

logger = logging.getLogger(__name__)


class MasterPort:
    """Carries what user code asks of its MasterRunner to the master."""

    def __init__(self, uplink: Uplink) -> None:
        self._uplink = uplink
        self._spawned = Event()
        self.index_by_client_id: dict[str, int] = {}
        """Cluster-wide index of each runner among the clients."""
        self.users_by_class: Mapping[str, int] = {}
        """Users that run now, over all workers."""

    def start(
        self, *, user_count: int, spawn_rate: float, user_classes: list[type[User]] | None, wait: bool
    ) -> None:
        self._spawned.clear()
        request = StartRequested(
            users=int(user_count),
            spawn_rate=spawn_rate,
            user_classes=[each.__name__ for each in user_classes or ()],
        )
        self._uplink.send(FromRunner(start_requested=request))
        if wait:
            self._spawned.wait()

    def stop(self) -> None:
        self.request_end("the locustfile called runner.stop()", end_program=False)

    def quit(self) -> None:
        self.request_end("the locustfile called runner.quit()", end_program=True)

    def send_message(self, *, message_type: str, data: Any, client_id: str | None) -> None:
        message = CustomMessage(type=message_type, data=to_value(data))
        if client_id is not None:
            if client_id not in self.index_by_client_id:
                raise LocustError(f"there is no worker {client_id!r} to send {message_type!r} to")
            message.to_runner = self.index_by_client_id[client_id]
        self._uplink.add_message(message)

    def user_classes_count(self) -> dict[str, int]:
        return dict(self.users_by_class)

    def request_end(self, reason: str, *, end_program: bool) -> None:
        """Ask for the end of the run, or of the program."""
        logger.info("asks for an end: %s", reason)
        self._uplink.send(FromRunner(quit_requested=QuitRequested(reason=reason, end_program=end_program)))

    def release_waiting_starts(self) -> None:
        """All users run, or never will: `runner.start(wait=True)` returns."""
        self._spawned.set()
