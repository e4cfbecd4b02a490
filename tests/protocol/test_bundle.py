"""What both ends agree on about a bundle: the digest, and which paths may stand in one."""

from __future__ import annotations

import hashlib

import pytest

from locust_protocol import bundle as bundle_module
from locust_protocol.bundle import BundleError, check_manifest, manifest_digest
from locust_protocol.limits import MAX_BUNDLE_BYTES, MAX_BUNDLE_FILES, MAX_BUNDLE_PATH_CHARS
from locust_protocol.v1 import bundle_pb2


def file_of(
    path: str, *, mode: int = 0o644, size: int = 1, sha256: bytes = b"s" * 32
) -> bundle_pb2.BundleFile:
    return bundle_pb2.BundleFile(path=path, mode=mode, size_bytes=size, sha256=sha256)


def manifest(*paths: str, locustfiles: tuple[str, ...] = ("l.py",)) -> bundle_pb2.BundleManifest:
    return bundle_pb2.BundleManifest(
        files=[file_of("l.py"), *(file_of(path) for path in paths)], locustfiles=locustfiles
    )


@pytest.mark.parametrize(
    "path", ["a.py", "a/b/c.csv", ".env", "a b.txt", "ünï.json", "..a", "a..", "x" * MAX_BUNDLE_PATH_CHARS]
)
def test_plain_relative_paths_are_taken(path: str) -> None:
    """Odd names are no danger."""
    check_manifest(manifest(path))


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "//host/share",
        "../x",
        "a/../../x",
        "a/..",
        "..",
        ".",
        "./a",
        "a/./b",
        "a//b",
        "a/",
        "~/.ssh/id",
        "~root/x",
        "C:/x",
        "C:x",
        "a\\b",
        "..\\x",
        "a\0b",
        "a\nb",
        "a\x7fb",
        "a\x85b",
        "x" * (MAX_BUNDLE_PATH_CHARS + 1),
        "file.txt:stream",
    ],
)
def test_hostile_paths_are_refused(path: str) -> None:
    """Nothing outside the folder, on any file system, and nothing that a log line cannot show."""
    with pytest.raises(BundleError):
        check_manifest(manifest(path))


@pytest.mark.parametrize(
    "paths",
    [
        ("a.py", "a.py"),
        ("A.py", "a.py"),
        ("straße.csv", "STRASSE.csv"),
        ("\u00e9.csv", "e\u0301.csv"),
        ("a", "a/b"),
        ("A", "a/b"),
        ("a/b/c", "a"),
        ("L.py",),
        ("l.py/x",),
    ],
)
def test_paths_that_some_file_system_takes_for_one_are_refused(paths: tuple[str, ...]) -> None:
    """Else what a worker runs would hang on its file system."""
    with pytest.raises(BundleError):
        check_manifest(manifest(*paths))


@pytest.mark.parametrize("mode", [0, 0o777, 0o4755, 0o600, 0o120777])
def test_modes_other_than_the_two_are_refused(mode: int) -> None:
    """No setuid, no symlinks."""
    broken = manifest()
    broken.files[0].mode = mode
    with pytest.raises(BundleError, match=f"mode {mode:o}"):
        check_manifest(broken)


@pytest.mark.parametrize("sha256", [b"", b"s" * 31, b"s" * 33])
def test_files_without_a_whole_hash_are_refused(sha256: bytes) -> None:
    """The content could be anything."""
    broken = manifest()
    broken.files[0].sha256 = sha256
    with pytest.raises(BundleError):
        check_manifest(broken)


@pytest.mark.parametrize("locustfiles", [(), ("missing.py",), ("l.py", "missing.py")])
def test_manifest_without_its_locustfile_is_refused(locustfiles: tuple[str, ...]) -> None:
    """There would be nothing to load."""
    with pytest.raises(BundleError):
        check_manifest(manifest(locustfiles=locustfiles))


@pytest.mark.parametrize(("extra", "is_refused"), [(MAX_BUNDLE_FILES - 1, False), (MAX_BUNDLE_FILES, True)])
def test_number_of_files_is_bounded(extra: int, is_refused: bool) -> None:
    """At the bound and one over."""
    full = manifest(*(f"{number}.csv" for number in range(extra)))
    if is_refused:
        with pytest.raises(BundleError):
            check_manifest(full)
    else:
        check_manifest(full)


@pytest.mark.parametrize(("size", "is_refused"), [(MAX_BUNDLE_BYTES, False), (MAX_BUNDLE_BYTES + 1, True)])
def test_size_is_bounded_before_anything_is_fetched(size: int, is_refused: bool) -> None:
    """At the bound and one over."""
    big = bundle_pb2.BundleManifest(files=[file_of("l.py", size=size)], locustfiles=["l.py"])
    if is_refused:
        with pytest.raises(BundleError):
            check_manifest(big)
    else:
        check_manifest(big)


def test_digest_is_the_documented_form() -> None:
    """Anybody can compute it from the schema's comment alone."""
    rest = "\0".join(["", "644", "1", (b"s" * 32).hex()])
    form = f"a.csv{rest}\nl.py{rest}\n" + "locustfile\0l.py\n"
    assert manifest_digest(manifest("a.csv")) == hashlib.sha256(form.encode()).digest()


def test_digest_does_not_hang_on_the_order_of_files() -> None:
    """Directories are listed in any order."""
    assert manifest_digest(manifest("a", "b")) == manifest_digest(manifest("b", "a"))


def test_digest_tells_everything_that_matters() -> None:
    """A change of path, mode, size, content, locustfile or their order is another bundle."""
    plain = manifest("a.py")
    changed = [bundle_pb2.BundleManifest.FromString(plain.SerializeToString()) for _ in range(6)]
    changed[0].files[1].path = "b.py"
    changed[1].files[1].mode = 0o755
    changed[2].files[1].size_bytes = 2
    changed[3].files[1].sha256 = b"t" * 32
    changed[4].locustfiles.append("a.py")
    changed[5].locustfiles[:] = ["a.py"]
    digests = {manifest_digest(each) for each in [plain, *changed]}
    assert len(digests) == 7


def test_surrogates_are_refused() -> None:
    """A file name that is not valid Unicode could not be sent at all."""
    with pytest.raises(BundleError):
        bundle_module.check_path("a\udcff")
