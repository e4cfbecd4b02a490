"""Ports that are free when asked for.

Prefer port 0 and reading back what was bound: between `free_port()` and its use another process may
take the port. It is for commands that must be told a port, and for addresses where nobody listens.
"""

from __future__ import annotations

import socket


def free_port(host: str = "127.0.0.1") -> int:
    """Return a TCP port of `host` that nothing is bound to at this moment."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
    return port
