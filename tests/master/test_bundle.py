"""Gathering the locustfile and what it needs beside it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from locust_master import bundle as bundle_module
from locust_master.bundle import Bundle, gather
from locust_master.store.run_dir import lock_run_dir
from locust_protocol.bundle import BundleError
from locust_protocol.limits import BUNDLE_CHUNK_BYTES
from locust_protocol.process.errors import UsageError


def write(root: Path, *paths: str, content: str = "x") -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)


def paths_of(bundle: Bundle) -> list[str]:
    return [file.path for file in bundle.manifest.files]


def test_bundle_has_modules_and_data_beside_the_locustfile(tmp_path: Path) -> None:
    """`open("users.csv")` and `import pages` work on every machine."""
    write(tmp_path, "locustfile.py", "pages.py", "users.csv", "data/a.json", "pkg/__init__.py")
    bundle = gather([str(tmp_path / "locustfile.py")])
    assert paths_of(bundle) == ["data/a.json", "locustfile.py", "pages.py", "pkg/__init__.py", "users.csv"]
    assert list(bundle.manifest.locustfiles) == ["locustfile.py"]
    assert bundle.root == tmp_path
    assert bundle.skipped == ()


def test_contents_are_those_of_the_manifest(tmp_path: Path) -> None:
    """A worker checks each file against it."""
    write(tmp_path, "locustfile.py", content="one")
    write(tmp_path, "a.csv", content="two2")
    os.chmod(tmp_path / "a.csv", 0o750)
    bundle = gather([str(tmp_path / "locustfile.py")])
    first, second = bundle.manifest.files
    assert (first.path, first.mode, first.size_bytes) == ("a.csv", 0o755, 4)
    assert (second.path, second.mode, second.size_bytes) == ("locustfile.py", 0o644, 3)
    assert [file.sha256 for file in (first, second)] == [
        hashlib.sha256(content).digest() for content in bundle.contents
    ]
    assert bundle.reference.size_bytes == 7


def test_hidden_generated_and_linked_files_stay_here(tmp_path: Path) -> None:
    """Secrets, caches, environments and what lies elsewhere are nobody's data."""
    write(tmp_path, "locustfile.py", ".env", ".git/config", "__pycache__/a.pyc", "venv/lib.py")
    write(tmp_path, "mine/pyvenv.cfg", "mine/lib.py", "run.log", "x.egg-info/PKG", "node_modules/a.js")
    (tmp_path / "link.csv").symlink_to("/etc/hostname")
    (tmp_path / "folder").symlink_to("/etc")
    assert paths_of(gather([str(tmp_path / "locustfile.py")])) == ["locustfile.py"]


def test_run_directory_beside_the_locustfile_stays_here(tmp_path: Path) -> None:
    """Else a master that was killed would find another bundle than the one that its run has."""
    write(tmp_path, "locustfile.py", "data/lock", content="mine")
    with lock_run_dir(tmp_path / "runs"):
        write(tmp_path, "runs/x.sqlite-wal")
        assert paths_of(gather([str(tmp_path / "locustfile.py")])) == ["data/lock", "locustfile.py"]


def test_file_that_the_master_writes_its_output_to_stays_here(tmp_path: Path) -> None:
    """It changes all the time, and a changed bundle means new runners."""
    write(tmp_path, "locustfile.py")
    program = "import sys; from locust_master.bundle import gather; print(gather(sys.argv[1:]).manifest)"
    with (tmp_path / "out.txt").open("w") as out, (tmp_path / "err.txt").open("w") as err:
        command = [sys.executable, "-c", program, str(tmp_path / "locustfile.py")]
        subprocess.run(command, stdout=out, stderr=err, check=True, timeout=60)
    said = (tmp_path / "out.txt").read_text()
    assert "locustfile.py" in said
    assert ".txt" not in said


def test_folder_gives_all_its_locustfiles(tmp_path: Path) -> None:
    """As with Locust, files that begin with _ are modules, not locustfiles."""
    write(tmp_path, "b.py", "a.py", "_shared.py", "deep/c.py", "users.csv")
    bundle = gather([str(tmp_path)])
    assert list(bundle.manifest.locustfiles) == ["a.py", "b.py", "deep/c.py"]
    assert "_shared.py" in paths_of(bundle)


def test_several_locustfiles_share_their_common_folder(tmp_path: Path) -> None:
    """In the order in which they were given, each once."""
    write(tmp_path, "a/one.py", "b/two.py", "common.csv")
    names = [str(tmp_path / "b/two.py"), str(tmp_path / "a/one.py"), str(tmp_path / "b/two.py")]
    bundle = gather(names)
    assert bundle.root == tmp_path
    assert list(bundle.manifest.locustfiles) == ["b/two.py", "a/one.py"]
    assert "common.csv" in paths_of(bundle)


def test_suffix_may_be_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-f locustfile` is what many type."""
    write(tmp_path, "locustfile.py")
    monkeypatch.chdir(tmp_path)
    assert list(gather(["locustfile"]).manifest.locustfiles) == ["locustfile.py"]


def test_module_named_with_dots_brings_the_packages_it_imports_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`import load.pages` in `-f load.shop` must work on a worker too."""
    write(tmp_path, "load/__init__.py", "load/shop.py", "load/pages.py", "users.csv")
    monkeypatch.chdir(tmp_path)
    bundle = gather(["load.shop"])
    assert list(bundle.manifest.locustfiles) == ["load/shop.py"]
    assert paths_of(bundle) == ["load/__init__.py", "load/pages.py", "load/shop.py", "users.csv"]


@pytest.mark.parametrize("module", ["tests_of.load", "tests_of"])
def test_module_is_found_without_running_it(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """User code runs in runners only."""
    write(tmp_path, "tests_of/__init__.py", "tests_of/load.py", content="raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    bundle = gather([module])
    assert bundle.root == tmp_path / "tests_of"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["missing.py"], "missing.py"),
        (["no_such_module_here.at_all"], "no_such_module_here.at_all"),
        (["notes.txt"], "notes.txt"),
        (["empty"], "empty"),
        ([], "no locustfile"),
    ],
)
def test_locustfile_that_is_none_is_named(
    names: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line that says which value stands for nothing."""
    write(tmp_path, "notes.txt", "empty/_hidden.py")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=said):
        gather(names)


def test_extra_files_bring_what_the_rules_leave_out(tmp_path: Path) -> None:
    """Asked for by name, hidden files and large ones come too; a folder stands for all in it."""
    write(tmp_path, "locustfile.py", ".env", ".data/a", ".data/b/c", "run.log")
    bundle = gather([str(tmp_path / "locustfile.py")], extra_files=[".env", ".data", "*.log"])
    assert paths_of(bundle) == [".data/a", ".data/b/c", ".env", "locustfile.py", "run.log"]


@pytest.mark.parametrize("pattern", ["*.none", "../*", "/etc/hostname", ""])
def test_extra_files_that_match_nothing_here_are_named(pattern: str, tmp_path: Path) -> None:
    """A slip must not surface as a missing file on some worker."""
    write(tmp_path, "in/locustfile.py", "outside.csv")
    with pytest.raises(UsageError, match="--extra-files"):
        gather([str(tmp_path / "in/locustfile.py")], extra_files=[pattern])


def test_large_file_stays_here_and_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody wants a core dump on every worker; who does asks for it."""
    monkeypatch.setattr(bundle_module, "MAX_DATA_FILE_BYTES", 10)
    write(tmp_path, "locustfile.py")
    write(tmp_path, "edge.csv", content="x" * 10)
    write(tmp_path, "large.csv", content="x" * 11)
    bundle = gather([str(tmp_path / "locustfile.py")])
    assert paths_of(bundle) == ["edge.csv", "locustfile.py"]
    assert bundle.skipped == ("large.csv (0 MiB)",)
    assert "large.csv" in paths_of(gather([str(tmp_path / "locustfile.py")], extra_files=["large.csv"]))


def test_modules_come_before_data_and_near_before_deep_when_room_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that cannot be imported is worse than one that misses a file of a neighbour."""
    monkeypatch.setattr(bundle_module, "MAX_BUNDLE_FILES", 3)
    write(tmp_path, "locustfile.py", "z.py", "a/near.csv", "a.csv", "a/b/deep.csv")
    bundle = gather([str(tmp_path / "locustfile.py")])
    assert paths_of(bundle) == ["a.csv", "locustfile.py", "z.py"]
    assert bundle.skipped == ("a/near.csv", "a/b/deep.csv")


def test_total_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no longer fits is named; what is asked for and does not fit is refused."""
    monkeypatch.setattr(bundle_module, "MAX_BUNDLE_BYTES", 10)
    monkeypatch.setattr("locust_protocol.bundle.MAX_BUNDLE_BYTES", 10)
    write(tmp_path, "locustfile.py", content="x" * 5)
    write(tmp_path, "a.csv", content="x" * 6)
    write(tmp_path, "b.csv", content="x" * 5)
    bundle = gather([str(tmp_path / "locustfile.py")])
    assert paths_of(bundle) == ["b.csv", "locustfile.py"]
    assert bundle.skipped == ("a.csv",)
    with pytest.raises(BundleError):
        gather([str(tmp_path / "locustfile.py")], extra_files=["*.csv"])


def test_crowd_of_files_is_looked_at_up_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A locustfile in a home directory must not read all of it."""
    monkeypatch.setattr(bundle_module, "MAX_SEEN_FILES", 5)
    write(tmp_path, "locustfile.py", *(f"{number}.csv" for number in range(9)))
    bundle = gather([str(tmp_path / "locustfile.py")])
    assert len(paths_of(bundle)) in (5, 6)
    assert bundle.skipped == ("whatever is beyond 5 files",)


def test_file_whose_name_works_only_here_is_left_out_and_named(tmp_path: Path) -> None:
    """A stray file beside the locustfile must not keep the master from starting."""
    write(tmp_path, "locustfile.py", "12:30.csv", "A.csv", "a.csv")
    bundle = gather([str(tmp_path / "locustfile.py")])
    assert paths_of(bundle) == ["A.csv", "locustfile.py"]
    assert len(bundle.skipped) == 2


def test_digest_is_stable_and_follows_every_edit(tmp_path: Path) -> None:
    """Runners belong to one digest: the same files must not restart them, an edit must."""
    write(tmp_path, "locustfile.py", "a.csv")
    first = gather([str(tmp_path / "locustfile.py")])
    os.utime(tmp_path / "a.csv", (1, 1))
    assert gather([str(tmp_path / "locustfile.py")]).digest == first.digest
    write(tmp_path, "a.csv", content="y")
    assert gather([str(tmp_path / "locustfile.py")]).digest != first.digest


def test_digest_does_not_hang_on_where_the_folder_is(tmp_path: Path) -> None:
    """A worker's cache is keyed by content."""
    write(tmp_path, "one/locustfile.py", "two/locustfile.py")
    first, second = (gather([str(tmp_path / name / "locustfile.py")]) for name in ("one", "two"))
    assert first.digest == second.digest


@pytest.mark.parametrize("offset", [0, 1, 4, 5, 9, BUNDLE_CHUNK_BYTES, BUNDLE_CHUNK_BYTES + 8])
def test_chunks_from_an_offset_are_the_rest(offset: int, tmp_path: Path) -> None:
    """A fetch that was cut goes on where it was."""
    write(tmp_path, "a.csv", content="aaaaa")
    write(tmp_path, "b.csv", content="b" * (BUNDLE_CHUNK_BYTES + 3))
    write(tmp_path, "locustfile.py", content="cc")
    bundle = gather([str(tmp_path / "locustfile.py")])
    chunks = list(bundle.chunks(offset))
    assert b"".join(chunks) == b"".join(bundle.contents)[offset:]
    assert all(0 < len(chunk) <= BUNDLE_CHUNK_BYTES for chunk in chunks)


def test_offset_beyond_the_end_gives_nothing(tmp_path: Path) -> None:
    """It was complete."""
    write(tmp_path, "locustfile.py")
    assert list(gather([str(tmp_path / "locustfile.py")]).chunks(99)) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_locustfile_is_named(tmp_path: Path) -> None:
    """One line instead of a traceback."""
    write(tmp_path, "locustfile.py")
    os.chmod(tmp_path / "locustfile.py", 0)
    with pytest.raises(UsageError, match="could not read"):
        gather([str(tmp_path / "locustfile.py")])
