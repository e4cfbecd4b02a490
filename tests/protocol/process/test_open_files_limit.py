"""Every process of ours takes the descriptors that it may have."""

from __future__ import annotations

import subprocess
import sys

LOWERED = """
import resource
from locust_protocol.process.open_files_limit import raise_descriptor_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 200))
print(raise_descriptor_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""

REFUSED = """
import resource
from locust_protocol.process.open_files_limit import raise_descriptor_limit
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
def refuse(*_):
    raise ValueError("not here")
resource.setrlimit = refuse
print(raise_descriptor_limit() == soft)
"""


def run(script: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=20
    ).stdout.strip()


def test_descriptor_limit_is_raised_to_the_hard_one() -> None:
    """A shell's soft limit of 1,024 is not what the machine can do."""
    assert run(LOWERED) == "200 200 200"


def test_descriptor_limit_stays_when_the_system_refuses() -> None:
    """A start never fails over it."""
    assert run(REFUSED) == "True"
