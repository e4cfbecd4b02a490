"""Who listens on a port of this machine, for the sentence that tells a person why theirs is not free.

Only says what the system lets us see: processes of other accounts have no pid here, and then nothing is said.
"""

from __future__ import annotations

import psutil


def holder_of(port: int) -> str:
    """Returns "pid 4711 (locust-master)" for the process that listens on a TCP port; empty when unknown."""
    try:
        listening = [
            connection.pid
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
        ]
        pid = next((pid for pid in listening if pid is not None), None)
        return "" if pid is None else f"pid {pid} ({psutil.Process(pid).name()})"
    except (psutil.Error, OSError):
        return ""
