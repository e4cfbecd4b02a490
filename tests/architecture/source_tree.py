"""Which files of the checkout are ours to judge: all Python but what protoc wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]

SOURCE_ROOTS = tuple(CHECKOUT / root for root in ("proto", "master", "worker", "tui"))

GENERATED = (CHECKOUT / "proto/locust_protocol/v1", CHECKOUT / "proto/locust_protocol/runner")


def product_files() -> Iterator[Path]:
    """Python files that are part of the distribution or make it."""
    for root in SOURCE_ROOTS:
        yield from _written_files(root)


def all_files() -> Iterator[Path]:
    """Python files of the product and of what stands around it."""
    yield from product_files()
    for root in ("tests", "examples", "benchmarks"):
        yield from _written_files(CHECKOUT / root)


def relative(path: Path) -> str:
    return path.relative_to(CHECKOUT).as_posix()


def module_exists(name: str) -> bool:
    """Whether the dotted `name` is a module or package under one of the source roots."""
    paths = [root.joinpath(*name.split(".")) for root in SOURCE_ROOTS]
    return any(path.with_suffix(".py").is_file() or (path / "__init__.py").is_file() for path in paths)


def _written_files(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root).parts
        if any(part.startswith(".") for part in inside):  # a virtualenv made on demand
            continue
        if not any(path.is_relative_to(generated) for generated in GENERATED):
            yield path
