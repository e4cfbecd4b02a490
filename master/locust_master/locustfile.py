"""The locustfile in its present version: its bundle, and the script host that has it loaded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from locust_master.bundle import Bundle, gather
from locust_master.cluster import Cluster
from locust_master.script_host import ScriptHost
from locust_master.settings import MasterSettings
from locust_protocol.process.errors import UsageError
from locust_protocol.runner.v1 import link_pb2
from locust_protocol.v1 import manifest_pb2

logger = logging.getLogger(__name__)


class Locustfile:
    """Loads the locustfile, and loads it anew when its files were edited."""

    def __init__(
        self,
        settings: MasterSettings,
        cluster: Cluster,
        tasks: asyncio.TaskGroup,
        on_frame: Callable[[link_pb2.FromRunner], None],
    ) -> None:
        self._settings = settings
        self._cluster = cluster
        self._tasks = tasks
        self._on_frame = on_frame
        self._host: ScriptHost | None = None
        self._bundle: Bundle | None = None

    @property
    def bundle(self) -> Bundle:
        """What workers may fetch."""
        assert self._bundle is not None, "loaded before the server starts"
        return self._bundle

    @property
    def host(self) -> ScriptHost:
        """The script host that has the bundle loaded."""
        assert self._host is not None, "loaded before the server starts"
        return self._host

    @property
    def manifest(self) -> manifest_pb2.Manifest:
        """What the locustfile offers."""
        return self._cluster.manifest

    async def load(self, bundle: Bundle, host: ScriptHost | None = None) -> None:
        """Loads a bundle in `host`, or in a new one. Raises `UsageError`; then what was loaded stays."""
        if host is None:
            host = ScriptHost()
            await host.start(self._tasks)
        host.on_frame = self._on_frame
        try:
            manifest = await host.load(bundle, self._settings.run_settings())
            if not manifest.user_classes:
                raise UsageError(
                    f"no user class in {', '.join(self._settings.locustfiles)}",
                    remedy="define a class that inherits from User, HttpUser or FastHttpUser",
                )
        except BaseException:
            await host.stop()
            raise
        if self._host is not None:
            await self._host.stop()
        self._host, self._bundle = host, bundle
        manifest.bundle_digest = bundle.digest
        manifest.locustfile = ", ".join(self._settings.locustfiles)
        self._cluster.offer(manifest, bundle.reference, self._settings.run_settings())

    async def reload_if_edited(self) -> None:
        """Gathers the files again and loads them when they changed. Raises `UsageError`."""
        bundle = await asyncio.to_thread(
            gather, self._settings.locustfiles, extra_files=self._settings.extra_files
        )
        if bundle.digest != self.bundle.digest:
            logger.info("locustfile changed, loading it anew digest=%s", bundle.digest.hex()[:12])
            await self.load(bundle)
