"""What must stand in the environment before grpc is imported: it reads it once, at import.

Call `prepare_grpc` from the `__init__` of a package that uses grpc. This module itself is free of it.
"""

from __future__ import annotations

import os


def prepare_grpc() -> None:
    """Keeps grpc's core from printing across screens and tables, and from hooking into fork."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
