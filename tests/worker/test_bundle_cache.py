"""A bundle is checked before, while and after it is unpacked: it comes from the network and is executed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from locust_protocol.bundle import BundleError, manifest_digest
from locust_protocol.v1 import bundle_pb2
from locust_worker.bundle_cache import BundleCache, default_cache_directory
from locust_worker.bundle_download import BundleDownload
from locust_worker.pool import Code

FILES = {"data/users.csv": b"a,b\n" * 1000, "locustfile.py": b"import data\n", "empty.py": b""}


def manifest_of(files: dict[str, bytes]) -> bundle_pb2.BundleManifest:
    manifest = bundle_pb2.BundleManifest(locustfiles=["locustfile.py"])
    for path, content in sorted(files.items()):
        digest = hashlib.sha256(content).digest()
        manifest.files.add(path=path, mode=0o644, size_bytes=len(content), sha256=digest)
    return manifest


def store(cache: BundleCache, digest: bytes, *sent: bundle_pb2.BundleManifest | bytes) -> Code:
    """Stores a bundle that arrived in these parts."""
    download = BundleDownload(digest)
    download.begin_attempt()
    for part in sent:
        download.take(part)
    return cache.store(download)


def contents(files: dict[str, bytes], *, chunk: int = 1000) -> list[bytes]:
    joined = b"".join(content for _, content in sorted(files.items()))
    return [joined[start : start + chunk] for start in range(0, len(joined), chunk)]


@pytest.fixture
def cache(tmp_path: Path) -> BundleCache:
    return BundleCache(tmp_path / "cache")


def left_over(cache_directory: Path) -> list[str]:
    return [path.name for path in cache_directory.glob("*")]


@pytest.mark.parametrize("chunk", [1, 999, 1_000_000])
def test_bundle_is_unpacked_whatever_the_pieces(cache: BundleCache, chunk: int) -> None:
    """Pieces and files have nothing to do with each other."""
    manifest = manifest_of(FILES)
    digest = manifest_digest(manifest)
    code = store(cache, digest, manifest, *contents(FILES, chunk=chunk))
    assert {path: (Path(code.directory) / path).read_bytes() for path in FILES} == FILES
    assert code.locustfiles == ("locustfile.py",)
    assert cache.find(digest) == code


def test_bundle_that_user_code_changed_is_fetched_again(cache: BundleCache) -> None:
    """Runners work in the folder: what is there is not trusted for its name alone."""
    manifest = manifest_of(FILES)
    digest = manifest_digest(manifest)
    code = store(cache, digest, manifest, *contents(FILES))
    (Path(code.directory) / "locustfile.py").write_text("something else")
    assert cache.find(digest) is None
    again = store(cache, digest, manifest, *contents(FILES))
    assert (Path(again.directory) / "locustfile.py").read_bytes() == FILES["locustfile.py"]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ([manifest_of(FILES), *contents({**FILES, "locustfile.py": b"import evil\n"})], "its hash"),
        ([manifest_of({**FILES, "more.py": b""}), *contents(FILES)], "its manifest"),
        ([manifest_of(FILES), *contents(FILES), b"more"], "more contents"),
        ([manifest_of(FILES), contents(FILES)[0]], "not complete"),
        ([manifest_of(FILES), manifest_of(FILES)], "two manifests"),
        ([contents(FILES)[0], manifest_of(FILES)], "before its manifest"),
        ([], "not complete"),
    ],
)
def test_bundle_that_is_not_what_its_digest_names_is_refused_and_leaves_nothing(
    cache: BundleCache, tmp_path: Path, sent: list[bundle_pb2.BundleManifest | bytes], reason: str
) -> None:
    """Half a bundle must never be found by a later run."""
    with pytest.raises(BundleError, match=reason):
        store(cache, manifest_digest(manifest_of(FILES)), *sent)
    assert left_over(tmp_path / "cache") == []


@pytest.mark.parametrize("path", ["../evil.py", "/etc/evil.py", "a/../../evil.py", "c:evil.py"])
def test_bundle_never_writes_outside_its_folder(cache: BundleCache, tmp_path: Path, path: str) -> None:
    """The digest is right and the path is wrong: the rules hold all the same."""
    files = {**FILES, path: b"evil"}
    manifest = manifest_of(files)
    with pytest.raises(BundleError):
        store(cache, manifest_digest(manifest), manifest, *contents(files))
    assert left_over(tmp_path / "cache") == []
    assert set(left_over(tmp_path)) <= {"cache"}


def test_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ours first, then the desktop standard, then the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("LOCUST_CACHE_DIR", raising=False)
    assert default_cache_directory() == tmp_path / ".cache/locust-grpc/bundles"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache_directory() == tmp_path / "xdg/locust-grpc/bundles"
    monkeypatch.setenv("LOCUST_CACHE_DIR", str(tmp_path / "ours"))
    assert default_cache_directory() == tmp_path / "ours"
