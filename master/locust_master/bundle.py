"""Gathers the locustfile and what it needs beside it into a bundle that workers fetch.

The bundle's root is the folder of the locustfile (of several: their common folder). Modules come first, then
data files, until a limit is reached; what is left out is said by name. Nothing is executed here.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from locust_master.store.run_dir import is_run_dir
from locust_protocol.bundle import (
    BundleError,
    check_manifest,
    check_path,
    folded_path,
    manifest_digest,
    size_bytes,
)
from locust_protocol.limits import BUNDLE_CHUNK_BYTES, MAX_BUNDLE_BYTES, MAX_BUNDLE_FILES, MIB
from locust_protocol.process.errors import UsageError
from locust_protocol.v1 import bundle_pb2

MAX_DATA_FILE_BYTES = 16 * MIB
"""Bytes in one data file that is taken without being asked for; larger ones want `--extra-files`."""

MAX_SEEN_FILES = 10_000
"""Files looked at below the locustfile's folder; more means that it is a home directory or the like."""

SKIPPED_FOLDERS = frozenset(
    {"__pycache__", "node_modules", "venv", "env", "site-packages", "dist", "build", "htmlcov"}
)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle as it was on disk when it was gathered.

    `contents` holds the files' bytes in the manifest's order, so that an edit under way never mixes two
    versions. `skipped` names files that were left out, with the reason.
    """

    root: Path
    manifest: bundle_pb2.BundleManifest
    digest: bytes
    contents: tuple[bytes, ...]
    skipped: tuple[str, ...]

    @property
    def reference(self) -> bundle_pb2.BundleReference:
        """The reference that assignments carry."""
        return bundle_pb2.BundleReference(digest=self.digest, size_bytes=size_bytes(self.manifest))

    def chunks(self, offset: int = 0) -> Iterator[bytes]:
        """Yields the contents from `offset` on in pieces of at most 256 KiB."""
        for content in self.contents:
            if offset >= len(content):
                offset -= len(content)
                continue
            for start in range(offset, len(content), BUNDLE_CHUNK_BYTES):
                yield content[start : start + BUNDLE_CHUNK_BYTES]
            offset = 0


def gather(locustfiles: Sequence[str], *, extra_files: Sequence[str] = ()) -> Bundle:
    """Reads the bundle of `locustfiles` (files, folders or importable modules).

    Raises `UsageError` when a locustfile is missing or unreadable, or `BundleError` when a rule is broken.
    """
    paths = resolve_locustfiles(locustfiles)
    if not paths:
        raise UsageError("no locustfile is named", remedy="name it with -f FILE")
    root = Path(os.path.commonpath([_import_root(path, locustfiles) for path in paths]))
    wanted = {path: path.relative_to(root).as_posix() for path in paths}
    for pattern in extra_files:
        wanted.update(_extra_files(root, pattern))
    chosen, skipped = _choose(root, wanted)
    files, contents = [], []
    for relative, path in sorted(chosen.items()):
        content = _read(path)
        contents.append(content)
        files.append(
            bundle_pb2.BundleFile(
                path=relative,
                mode=0o755 if os.access(path, os.X_OK) else 0o644,
                size_bytes=len(content),
                sha256=hashlib.sha256(content).digest(),
            )
        )
    manifest = bundle_pb2.BundleManifest(files=files, locustfiles=[wanted[path] for path in paths])
    check_manifest(manifest)
    return Bundle(root, manifest, manifest_digest(manifest), tuple(contents), tuple(skipped))


def resolve_locustfiles(names: Sequence[str]) -> list[Path]:
    """Turns what `-f` was given into paths: files, every file of a folder, or an importable module.

    Raises `UsageError` naming the value that stands for nothing.
    """
    paths: list[Path] = []
    for name in names:
        try:
            paths += _paths_of(name)
        except PermissionError as error:
            raise _unreadable(Path(name), error) from error
    return list(dict.fromkeys(paths))


def _paths_of(name: str) -> list[Path]:
    path = Path(name).expanduser()
    if not path.exists() and path.suffix == "" and path.with_suffix(".py").is_file():
        path = path.with_suffix(".py")
    if path.is_dir():
        return _python_files(path.resolve(), name)
    if not path.is_file():
        return [_module_path(name)]
    if path.suffix != ".py":
        raise UsageError(f"locustfile {name!r} is not a .py file", remedy="give -f a Python file")
    return [path.resolve()]


def _python_files(folder: Path, name: str) -> list[Path]:
    found = sorted(
        path
        for path in folder.rglob("*.py")
        if not any(part.startswith(("_", ".")) for part in path.relative_to(folder).parts)
    )
    if not found:
        raise UsageError(
            f"no locustfile in folder {name!r}", remedy="files whose name starts with _ do not count"
        )
    return found


def _import_root(path: Path, names: Sequence[str]) -> Path:
    """Returns the folder that a locustfile's imports start from: its own, or for a module named with dots
    (`-f load.shop`, found below the working folder) the one that holds the outermost package.
    """
    here = Path.cwd()
    for name in names:
        relative = Path(*name.split("."))
        module = (here / relative.with_suffix(".py"), here / relative / "__init__.py")
        if "." in name and not Path(name).exists() and path in [each.resolve() for each in module]:
            return here.resolve()
    return path.parent


def _module_path(name: str) -> Path:
    """Finds a module by its files alone: importing its parents would run user code here."""
    if all(part.isidentifier() for part in name.split(".")):
        relative = Path(*name.split("."))
        for base in (Path.cwd(), *map(Path, sys.path)):
            for candidate in (base / relative.with_suffix(".py"), base / relative / "__init__.py"):
                if candidate.is_file():
                    return candidate.resolve()
    raise UsageError(
        f"could not find locustfile {name!r}", remedy="name it with -f FILE, or start in its folder"
    )


def _extra_files(root: Path, pattern: str) -> Iterator[tuple[Path, str]]:
    try:
        matches = list(root.glob(pattern))
    except (NotImplementedError, ValueError) as error:
        raise UsageError(
            f"--extra-files {pattern!r} is no pattern below {root}",
            remedy="the pattern is relative to the locustfile's folder",
        ) from error
    below = [[match] if match.is_file() else match.rglob("*") for match in matches]
    found = [path.resolve() for paths in below for path in paths if path.is_file()]
    if not found:
        raise UsageError(
            f"--extra-files {pattern!r} matches no file below {root}",
            remedy="the pattern is relative to the locustfile's folder",
        )
    for path in found:
        if not path.is_relative_to(root):
            raise UsageError(
                f"--extra-files {pattern!r} leaves {root}", remedy="move the file beside the locustfile"
            )
        yield path, path.relative_to(root).as_posix()


def _choose(root: Path, wanted: dict[Path, str]) -> tuple[dict[str, Path], list[str]]:
    """Returns the files to take by relative path, and what was left out.

    Modules come before data, what lies near before what lies deep.
    """
    chosen = {relative: path for path, relative in wanted.items()}
    folded = {folded_path(relative) for relative in chosen}
    total = sum(_size(path) for path in chosen.values())
    beside = list(islice(_beside(root), MAX_SEEN_FILES + 1))
    skipped = [f"whatever is beyond {MAX_SEEN_FILES} files"] if len(beside) > MAX_SEEN_FILES else []
    for path in sorted(
        beside[:MAX_SEEN_FILES], key=lambda path: (path.suffix != ".py", len(path.parts), path)
    ):
        relative = path.relative_to(root).as_posix()
        if relative in chosen:
            continue
        size = _size(path)
        if not _may_be_in_bundle(relative) or folded_path(relative) in folded:
            skipped.append(f"{relative!r} (its name does not work everywhere)")
        elif size > MAX_DATA_FILE_BYTES:
            skipped.append(f"{relative} ({size / MIB:.0f} MiB)")
        elif len(chosen) >= MAX_BUNDLE_FILES or total + size > MAX_BUNDLE_BYTES:
            skipped.append(relative)
        else:
            chosen[relative] = path
            folded.add(folded_path(relative))
            total += size
    return chosen, skipped


def _may_be_in_bundle(relative: str) -> bool:
    try:
        check_path(relative)
    except BundleError:
        return False
    return True


def _beside(root: Path) -> Iterable[Path]:
    """Yields readable regular files below `root`, hidden and generated folders left out.

    What masters write to is left out too, output and run directories: it changes all the time, and a changed
    bundle costs new runners, and a run that is not taken up.
    """
    written = {_identity(descriptor) for descriptor in (1, 2)} - {None}
    for folder, names, files in os.walk(root):
        if root == Path(root.anchor):
            names.clear()  # a locustfile at the root of an image: the whole machine is not its data
        names[:] = [
            name
            for name in names
            if not name.startswith(".")
            and name not in SKIPPED_FOLDERS
            and not name.endswith(".egg-info")
            and not (Path(folder) / name / "pyvenv.cfg").exists()
            and not is_run_dir(Path(folder) / name)
        ]
        for name in files:
            path = Path(folder, name)
            if name.startswith(".") or name.endswith((".pyc", ".sqlite", ".log")):
                continue
            if (
                path.is_file()
                and not path.is_symlink()
                and os.access(path, os.R_OK)
                and _identity(path) not in written
            ):
                yield path


def _identity(file: Path | int) -> tuple[int, int] | None:
    """Returns what tells a file, or an open descriptor, from all others; None when it is gone."""
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"could not read {path}: {error.strerror}", remedy="check its permissions")
