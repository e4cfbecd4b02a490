"""What this client knows and wishes, without a screen: the picture, the link, and the commands.

It applies snapshots as they come and tells once that something changed; whoever draws asks for the
newest. The client module, and grpc with it, is imported in a thread after the first paint.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from locust_protocol.process.errors import OperatorError
from locust_protocol.security.access_terms import AccessTerms
from locust_protocol.v1.control_service_pb2 import GetManifestResponse, RunOptions
from locust_protocol.v1.snapshot_pb2 import Snapshot
from locust_tui.connection import Link, LinkPhase, MasterSilent
from locust_tui.model import Picture, acknowledge, apply
from locust_tui.view.header import is_stale

if TYPE_CHECKING:
    from locust_tui.client import MasterClient


class Session:
    """One master, watched and controlled; `on_change` is called on the event loop after each change."""

    def __init__(self, target: str, terms: AccessTerms, *, on_change: Callable[[], None]) -> None:
        self.target = target
        self._terms = terms
        self.picture = Picture()
        self.link = Link(target, LinkPhase.CONNECTING, time.monotonic())
        self.news_s = time.monotonic()
        self.manifest: GetManifestResponse | None = None
        self.manifest_problem = ""
        self._on_change = on_change
        self._client: MasterClient | None = None

    @property
    def is_stale(self) -> bool:
        """Whether the numbers may be old."""
        return is_stale(self.picture, self.link, now_s=time.monotonic(), news_s=self.news_s)

    async def run(self) -> None:
        """Follows the master until it is cancelled."""
        module = await asyncio.to_thread(importlib.import_module, "locust_tui.client")
        client: MasterClient = module.client_of(self.target, self._terms)
        self._client = client
        try:
            await client.follow(self)
        finally:
            self._client = None
            await client.close()

    def snapshot_arrived(self, snapshot: Snapshot) -> None:
        """Takes a snapshot in."""
        self.picture = apply(self.picture, snapshot)
        self.news_s = time.monotonic()
        self._on_change()

    def link_changed(self, link: Link) -> None:
        """Takes in how the connection stands."""
        self.link = link
        self._on_change()

    async def load_manifest(self) -> None:
        """Asks what the locustfile offers now; a refusal becomes `manifest_problem`."""
        try:
            self.manifest = await self._connected().get_manifest()
            self.manifest_problem = ""
        except OperatorError as error:
            self.manifest_problem = str(error)
        self._on_change()

    async def start_run(self, options: RunOptions, *, generation: int) -> None:
        """Starts a run that was wished on `generation`. Raises OperatorError, as all commands do."""
        self._know(await self._connected().start_run(options, expected_generation=generation))

    async def edit_run(self, *, users: int, spawn_rate: float, generation: int) -> None:
        """Changes users and spawn rate of the run as it was at `generation`."""
        self._know(
            await self._connected().edit_run(
                users=users, spawn_rate=spawn_rate, expected_generation=generation
            )
        )

    async def stop_run(self) -> None:
        """Stops the run that is shown."""
        self._know(await self._connected().stop_run(expected_generation=self.picture.generation))

    async def reset_statistics(self) -> None:
        """Starts the statistics anew."""
        self._know(await self._connected().reset_statistics(expected_generation=self.picture.generation))

    async def mark_run(self, text: str) -> None:
        """Marks this moment of the run."""
        self._know(await self._connected().mark_run(text))

    async def shut_down(self) -> None:
        """Ends the run and the master."""
        with contextlib.suppress(MasterSilent):  # it may end before it answers
            await self._connected().shut_down(expected_generation=self.picture.generation)

    def _connected(self) -> MasterClient:
        if self._client is None:
            raise MasterSilent(f"not connected to {self.target} yet", remedy="try again in a moment")
        return self._client

    def _know(self, generation: int) -> None:
        self.picture = acknowledge(self.picture, generation)
        self._on_change()
