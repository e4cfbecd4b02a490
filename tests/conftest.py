"""How the suite is played: what the tests start finds its code compiled.

Must never change what a test proves: no fixture is here.
"""

from __future__ import annotations

import os
import sys


def pytest_configure() -> None:
    """Lets the commands under test keep their bytecode, as they do wherever nobody forbids it."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes would compile everything anew
    sys.dont_write_bytecode = False
