"""Bundles on this machine's disk, named by their digest: what was fetched once is not fetched again.

A bundle comes from the network and is executed: so its manifest is checked against the digest that was asked
for and against the path rules before a file is made, and every file against its hash before the folder gets
its name. A folder that exists is checked again before use, as user code works in it and may have changed it.

Layout: <cache>/<digest in hex>/files/… and, written last, <cache>/<digest in hex>/manifest.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from pathlib import Path

from locust_protocol.bundle import manifest_digest
from locust_protocol.v1 import bundle_pb2
from locust_worker.bundle_download import BundleDownload
from locust_worker.pool import Code

MAX_KEPT_BUNDLES = 32
"""Bundles that are kept beside those used within `KEPT_S`."""

KEPT_S = 24 * 3600.0
"""Seconds since its last use for which a bundle is never removed: another agent may be running it."""

MANIFEST = "manifest"
FILES = "files"


def default_cache_directory() -> Path:
    """Returns $LOCUST_CACHE_DIR, or our folder in the user's cache ($XDG_CACHE_HOME, ~/.cache)."""
    if chosen := os.environ.get("LOCUST_CACHE_DIR"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "locust-grpc" / "bundles"


class BundleCache:
    """The folder of all bundles."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def find(self, digest: bytes) -> Code | None:
        """Returns a bundle that is here and unchanged, else None."""
        folder = self._directory / digest.hex()
        try:
            manifest = bundle_pb2.BundleManifest.FromString((folder / MANIFEST).read_bytes())
        except (OSError, ValueError):
            return None
        if manifest_digest(manifest) != digest:
            return None
        for file in manifest.files:
            try:
                content = (folder / FILES / file.path).read_bytes()
            except OSError:
                return None
            if hashlib.sha256(content).digest() != file.sha256:
                return None
        os.utime(folder)
        return Code(digest, str(folder / FILES), tuple(manifest.locustfiles))

    def store(self, download: BundleDownload) -> Code:
        """Unpacks a bundle that has arrived.

        Raises `BundleError` when something is missing or is not what the digest names, OSError when the disk
        does not take it. Nothing is left of a bundle that failed.
        """
        manifest, files = download.finish()
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=self._directory))
        try:
            (work / FILES).mkdir(mode=0o700)
            for file, content in files:
                _write(work / FILES, file, content)
            (work / MANIFEST).write_bytes(manifest.SerializeToString())
            self._put_in_place(work, download.digest)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        self._prune(download.digest)
        folder = self._directory / download.digest.hex() / FILES
        return Code(download.digest, str(folder), tuple(manifest.locustfiles))

    def _put_in_place(self, work: Path, digest: bytes) -> None:
        folder = self._directory / digest.hex()
        try:
            work.rename(folder)
        except OSError:
            if self.find(digest) is not None:
                return  # another agent was quicker
            spoilt = Path(tempfile.mkdtemp(prefix=".spoilt-", dir=self._directory))
            folder.rename(spoilt / FILES)
            work.rename(folder)
            shutil.rmtree(spoilt, ignore_errors=True)

    def _prune(self, present: bytes) -> None:
        folders = []
        for folder in self._directory.iterdir():
            try:
                folders.append((folder.stat().st_mtime, folder))
            except OSError:
                continue
        folders.sort(reverse=True)
        for used_s, folder in folders[MAX_KEPT_BUNDLES:]:
            if folder.name != present.hex() and time.time() - used_s > KEPT_S:
                shutil.rmtree(folder, ignore_errors=True)


def _write(root: Path, file: bundle_pb2.BundleFile, content: bytes) -> None:
    path = root / file.path
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, file.mode)
    with os.fdopen(descriptor, "wb") as target:
        target.write(content)
