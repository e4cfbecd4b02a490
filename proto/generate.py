"""Generates `locust_protocol/v1` and `locust_protocol/runner/v1` from `schema/`.

protoc writes `from locust.v1 import …`: `locust` is real Locust's import name and what a runner's import
hook redirects, so every reference is rewritten to `locust_protocol`. `--check` generates into a temporary
folder and fails when what is committed differs.
"""

from __future__ import annotations

import argparse
import filecmp
import re
import shutil
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent
SCHEMA = ROOT / "schema"
PACKAGE = ROOT / "locust_protocol"
FOLDERS = ("v1", "runner/v1")


def generate(destination: Path) -> None:
    """Writes all generated modules below `destination` (the folder of the package `locust_protocol`)."""
    files = sorted(str(path.relative_to(SCHEMA)) for path in SCHEMA.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        _run_protoc(files, Path(scratch))
        for folder in FOLDERS:
            target = destination / folder
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(Path(scratch) / "locust" / folder, target)
            _drop_service_stubs_without_service(target, SCHEMA / "locust" / folder)
            (target / "__init__.py").write_text("")
            for path in sorted(target.iterdir()):
                if path.suffix in (".py", ".pyi"):
                    path.write_text(_rewrite(path.read_text()))
        (destination / "runner" / "__init__.py").write_text("")


def _run_protoc(files: list[str], out: Path) -> None:
    include = Path(protoc.__file__).parent / "_proto"
    command = [
        "protoc",
        f"--plugin=protoc-gen-mypy={_beside_python('protoc-gen-mypy')}",
        f"--plugin=protoc-gen-mypy_grpc={_beside_python('protoc-gen-mypy_grpc')}",
        f"--proto_path={SCHEMA}",
        f"--proto_path={include}",
        f"--python_out={out}",
        f"--grpc_python_out={out}",
        f"--mypy_out={out}",
        f"--mypy_grpc_out={out}",
        *files,
    ]
    if protoc.main(command) != 0:
        raise SystemExit("protoc failed; see its message above")


def _beside_python(program: str) -> Path:
    """Returns the path of a plugin that was installed with the running interpreter."""
    return Path(sys.executable).parent / program


def _drop_service_stubs_without_service(folder: Path, schema: Path) -> None:
    for proto in schema.glob("*.proto"):
        if re.search(r"^service ", proto.read_text(), re.MULTILINE) is None:
            for path in folder.glob(f"{proto.stem}_pb2_grpc.*"):
                path.unlink()


def _rewrite(text: str) -> str:
    text = re.sub(r"\bfrom locust\.(runner\.v1|v1)\b", r"from locust_protocol.\1", text)
    text = re.sub(r"\bimport locust\.(runner\.v1|v1)\b", r"import locust_protocol.\1", text)
    text = re.sub(r"(BuildTopDescriptorsAndMessages\(DESCRIPTOR, ')locust\.", r"\1locust_protocol.", text)
    return re.sub(r"(?<![\w./'\"])locust\.(runner\.v1|v1)\.", r"locust_protocol.\1.", text)


def stale_files(fresh: Path) -> list[str]:
    """Returns the generated files that differ between `fresh` and what is committed."""
    stale = []
    for folder in FOLDERS:
        names = {path.name for base in (fresh, PACKAGE) for path in (base / folder).glob("*.py*")}
        _, mismatch, errors = filecmp.cmpfiles(fresh / folder, PACKAGE / folder, sorted(names), shallow=False)
        stale += [f"{folder}/{name}" for name in (*mismatch, *errors)]
    return stale


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only prove that what is committed is fresh")
    if not parser.parse_args().check:
        generate(PACKAGE)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "runner").mkdir()
        generate(Path(scratch))
        stale = stale_files(Path(scratch))
    if stale:
        print(f"generated code is stale: {', '.join(stale)}: run `make proto`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
