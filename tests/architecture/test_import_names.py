"""`locust` belongs to real Locust: we answer to that name inside runners only, by an import hook."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest

from tests.architecture.source_tree import CHECKOUT, SOURCE_ROOTS

LOOK_UP = """
import importlib.util, sys
sys.path[:0] = sys.argv[2:]
print(importlib.util.find_spec(sys.argv[1]) is not None)
"""


def is_importable(name: str, roots: list[str]) -> bool:
    """Whether `name` is found with only `roots` and the standard library on the path."""
    # Without site-packages, a Locust that someone installed beside us does not count.
    argv = [sys.executable, "-I", "-S", "-c", LOOK_UP, name, *roots]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout == "True\n"


@pytest.mark.parametrize("roots", [[*map(str, SOURCE_ROOTS)], [str(CHECKOUT)]], ids=["roots", "checkout"])
def test_no_source_root_provides_a_package_named_locust(roots: list[str]) -> None:
    """Two distributions that own one import name corrupt each other; an empty folder is a package too."""
    assert not is_importable("locust", roots)


def test_source_roots_provide_our_packages() -> None:
    """The look-up itself: it would find what is there."""
    assert is_importable("locust_runtime", [*map(str, SOURCE_ROOTS)])


def test_wheel_holds_our_five_packages_only() -> None:
    """What is built is what was looked at."""
    configuration = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    packages = configuration["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {path.rpartition("/")[2] for path in packages} == {
        "locust_protocol",
        "locust_master",
        "locust_worker",
        "locust_runtime",
        "locust_tui",
    }
