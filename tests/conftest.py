"""How the suite is played: what the tests start finds its code compiled, and laws are tried the same way
each time.

Must never change what a test proves: no fixture is here.
"""

from __future__ import annotations

import os
import sys

from hypothesis import HealthCheck, settings

# How fast a machine is says nothing about a law, and two plays of one commit must not differ; new examples
# are looked for with `pytest --hypothesis-profile=default`.
settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")


def pytest_configure() -> None:
    """Lets the commands under test keep their bytecode, as they do wherever nobody forbids it."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes would compile everything anew
    sys.dont_write_bytecode = False
