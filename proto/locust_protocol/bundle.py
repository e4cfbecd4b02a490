"""What both ends agree on about a bundle: its digest, and which paths may stand in one.

Pure: reads and writes no file. A worker unpacks what a master sends, so every rule here protects the
worker: nothing outside its folder, nothing that two file systems see differently, nothing without bound.
"""

from __future__ import annotations

import hashlib
import unicodedata
from pathlib import PurePosixPath

from locust_protocol.limits import MAX_BUNDLE_BYTES, MAX_BUNDLE_FILES, MAX_BUNDLE_PATH_CHARS
from locust_protocol.process.errors import OperatorError
from locust_protocol.v1 import bundle_pb2

FILE_MODES = (0o644, 0o755)
SHA256_BYTES = 32


class BundleError(OperatorError):
    """A bundle breaks the rules: it is refused as a whole."""


def manifest_digest(manifest: bundle_pb2.BundleManifest) -> bytes:
    """Returns the SHA-256 that names a bundle; the canonical form stands in `BundleReference.digest`."""
    digest = hashlib.sha256()
    for file in sorted(manifest.files, key=lambda file: file.path):
        digest.update(f"{file.path}\0{file.mode:o}\0{file.size_bytes}\0{file.sha256.hex()}\n".encode())
    for locustfile in manifest.locustfiles:
        digest.update(f"locustfile\0{locustfile}\n".encode())
    return digest.digest()


def size_bytes(manifest: bundle_pb2.BundleManifest) -> int:
    """Returns the size of all files together in bytes."""
    return sum(file.size_bytes for file in manifest.files)


def check_manifest(manifest: bundle_pb2.BundleManifest) -> None:
    """Raises `BundleError` when a manifest breaks a rule, naming the file and the rule."""
    if len(manifest.files) > MAX_BUNDLE_FILES:
        raise _refused(f"{len(manifest.files)} files, {MAX_BUNDLE_FILES} are allowed")
    if size_bytes(manifest) > MAX_BUNDLE_BYTES:
        raise _refused(f"{size_bytes(manifest)} bytes, {MAX_BUNDLE_BYTES} are allowed")
    paths = [file.path for file in manifest.files]
    folded: set[str] = set()
    for file in manifest.files:
        check_path(file.path)
        if folded_path(file.path) in folded:
            raise _refused(f"{file.path!r} occurs twice, or differs only in case from another file")
        folded.add(folded_path(file.path))
        if file.mode not in FILE_MODES:
            raise _refused(f"{file.path!r} has mode {file.mode:o}")
        if len(file.sha256) != SHA256_BYTES:
            raise _refused(f"{file.path!r} has no SHA-256")
    for path in paths:
        for parent in PurePosixPath(path).parents:
            if str(parent) != "." and folded_path(str(parent)) in folded:
                raise _refused(f"{path!r} lies below a file")
    missing = [path for path in manifest.locustfiles if path not in paths]
    if missing or not manifest.locustfiles:
        raise _refused(f"locustfile {missing[0]!r} is not in it" if missing else "it names no locustfile")


def folded_path(path: str) -> str:
    """Returns what two paths have in common that some file system takes for one: case, and Unicode form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def check_path(path: str) -> None:
    """Raises `BundleError` unless `path` is relative, plain, stays in its folder and means one everywhere."""
    if not path or len(path) > MAX_BUNDLE_PATH_CHARS:
        raise _refused(f"path {path[:80]!r} is empty or over {MAX_BUNDLE_PATH_CHARS} characters")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in path):
        raise _refused(f"path {path!r} has control characters or is not valid Unicode")
    if "\\" in path or ":" in path or path.startswith(("/", "~")):
        raise _refused(f"path {path!r} is not a relative POSIX path")
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise _refused(f"path {path!r} leaves its folder or is not in its plain form")


def _refused(reason: str) -> BundleError:
    return BundleError(
        f"bundle refused: {reason}",
        remedy="put the locustfile in a folder of its own with only what it needs beside it",
    )
