"""How an address of the master is written. Free of grpc: commands need it before they import that."""

from __future__ import annotations


def join_address(host: str, port: int) -> str:
    """Returns "host:port", with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"
