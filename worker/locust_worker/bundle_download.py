"""A bundle on its way here: what has arrived of it outlives the connection that brought it.

Each attempt begins with the manifest, then come the contents from where the last attempt broke off. A line
that breaks every few seconds still brings a large bundle here in the end.

Pure. Contents are checked against their hashes when all are here, whatever attempt brought them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from locust_protocol.bundle import BundleError, check_manifest, manifest_digest, size_bytes
from locust_protocol.v1 import bundle_pb2


class BundleDownload:
    """One bundle. Holds at most the bytes that its manifest announces, so at most a bundle's limit."""

    def __init__(self, digest: bytes) -> None:
        self.digest = digest
        self._manifest: bundle_pb2.BundleManifest | None = None
        self._content = bytearray()
        self._has_greeted = False
        """The present attempt has sent its manifest."""

    def begin_attempt(self) -> int:
        """Returns the bytes that are here, counted over the files' contents: where to go on from."""
        self._has_greeted = False
        return len(self._content)

    def take(self, part: bundle_pb2.BundleManifest | bytes) -> None:
        """Takes the next part of the present attempt. Raises `BundleError` when it breaks a rule."""
        if isinstance(part, bundle_pb2.BundleManifest):
            self._take_manifest(part)
            return
        if self._manifest is None or not self._has_greeted:
            raise broken("contents come before its manifest")
        if len(self._content) + len(part) > size_bytes(self._manifest):
            raise broken("it has more contents than files")
        self._content += part

    def finish(self) -> tuple[bundle_pb2.BundleManifest, Iterator[tuple[bundle_pb2.BundleFile, bytes]]]:
        """Returns the manifest, and the files with their contents, each checked against its hash as it comes.

        Raises `BundleError`: at once when something is missing, later at a file that is not what its hash
        names.
        """
        if self._manifest is None or len(self._content) < size_bytes(self._manifest):
            raise broken("it is not complete")
        return self._manifest, self._files(self._manifest)

    def _take_manifest(self, manifest: bundle_pb2.BundleManifest) -> None:
        if self._has_greeted:
            raise broken("it has two manifests")
        check_manifest(manifest)
        if manifest_digest(manifest) != self.digest:
            raise broken("its manifest is not the one that the digest names")
        self._manifest, self._has_greeted = manifest, True

    def _files(self, manifest: bundle_pb2.BundleManifest) -> Iterator[tuple[bundle_pb2.BundleFile, bytes]]:
        start = 0
        for file in manifest.files:
            content = bytes(self._content[start : start + file.size_bytes])
            start += file.size_bytes
            if hashlib.sha256(content).digest() != file.sha256:
                raise broken(f"the content of {file.path!r} is not the one that its hash names")
            yield file, content


def broken(reason: str) -> BundleError:
    """Returns the error for a bundle that is not what it should be."""
    return BundleError(f"bundle refused: {reason}", remedy="start the worker again; if it stays, the master")
