"""Gets the bundles that an assignment names: from this machine's cache, else from the master.

What has arrived of a bundle is kept over attempts, so a line that breaks costs the rest of the bundle only.
Whether to ask again is not decided here: the end of an attempt is an event for the agent's one loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from locust_protocol.bundle import BundleError
from locust_worker.bundle_cache import BundleCache
from locust_worker.bundle_download import BundleDownload
from locust_worker.master_link import MasterLink, MasterUnreachable
from locust_worker.pool import Code

logger = logging.getLogger(__name__)

RETRY_FETCH_S = 1.0
"""Seconds until a bundle that did not arrive is asked for again."""


@dataclass(frozen=True, slots=True)
class CodeArrived:
    """A bundle is on this machine."""

    code: Code


@dataclass(frozen=True, slots=True)
class CodeFailed:
    """A bundle is not to be had; `is_final` when asking again is no use."""

    digest: bytes
    reason: str
    is_final: bool


class Fetches:
    """Gets bundles, each once at a time."""

    def __init__(self, cache: BundleCache, link: MasterLink) -> None:
        self._cache = cache
        self._link = link
        self._under_way: set[bytes] = set()
        self._broken_off: BundleDownload | None = None
        """The last one that did not arrive; one is enough, as an assignment names one bundle."""

    def begin(self, digest: bytes) -> bool:
        """False when it is being fetched already."""
        is_new = digest not in self._under_way
        self._under_way.add(digest)
        return is_new

    def done(self, digest: bytes) -> None:
        """It may be asked for again."""
        self._under_way.discard(digest)

    async def get(
        self, session_id: int, digest: bytes, post: Callable[[CodeArrived | CodeFailed], None]
    ) -> None:
        """Posts `CodeArrived` or `CodeFailed`."""
        try:
            code = await asyncio.to_thread(self._cache.find, digest)
            if code is None:
                code = await asyncio.to_thread(self._cache.store, await self._download(session_id, digest))
            post(CodeArrived(code))
        except MasterUnreachable as error:
            logger.warning("%s; trying again", error)
            await asyncio.sleep(RETRY_FETCH_S)
            post(CodeFailed(digest, str(error), is_final=False))
        except BundleError as error:
            post(CodeFailed(digest, str(error), is_final=True))
        except OSError as error:
            reason = f"the bundle cannot be stored: {error.strerror or error} ({error.filename})"
            post(CodeFailed(digest, reason, is_final=True))

    async def _download(self, session_id: int, digest: bytes) -> BundleDownload:
        download, self._broken_off = self._broken_off, None
        if download is None or download.digest != digest:
            download = BundleDownload(digest)
        offset = download.begin_attempt()
        if offset:
            logger.info("bundle goes on where it broke off bytes=%d", offset)
        try:
            async for part in self._link.fetch_bundle(session_id, digest, offset=offset):
                download.take(part)
        except MasterUnreachable:
            self._broken_off = download
            raise
        return download
