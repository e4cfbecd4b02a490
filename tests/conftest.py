"""How the suite is played: what the tests start finds its code compiled, and an identity of the suite's own;
laws are tried the same way each time.

Must never change what a test proves: no fixture is here.
"""

from __future__ import annotations

import os
import sys
import tempfile

import pytest
from hypothesis import HealthCheck, settings

# How fast a machine is says nothing about a law, and two plays of one commit must not differ; new examples
# are looked for with `pytest --hypothesis-profile=default`.
settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")


def pytest_configure(config: pytest.Config) -> None:
    """Lets the commands under test keep their bytecode, as they do wherever nobody forbids it."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes would compile everything anew
    sys.dont_write_bytecode = False
    # The real commands are secure by default: the tests are one user on one machine.
    folder = tempfile.TemporaryDirectory(prefix="locust-security-")
    os.environ["LOCUST_SECURITY_DIR"] = folder.name
    config.add_cleanup(folder.cleanup)
