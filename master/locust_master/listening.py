"""Where the master listens, and what it says when it cannot.

The port is looked at before anything that takes time, so that a person who started a second master knows at
once. That look holds nothing: the server's own bind decides, and says the same.
"""

from __future__ import annotations

import errno
import socket

from locust_master.port_holder import holder_of
from locust_protocol.addresses import join_address
from locust_protocol.process.errors import UsageError

_IN_USE = "the port is in use"
_NOT_OURS = "the address is not of this machine"


def bind_address(host: str, port: int) -> str:
    """Returns the address to listen on; "*" and "" are all interfaces, IPv4 and, where there is, IPv6."""
    return join_address("0.0.0.0" if host in ("*", "") else host, port)


def check_port_is_free(host: str, port: int) -> None:
    """Raises `UsageError` when it is plain that nobody can listen there now; says nothing of what is unclear.

    Names that do not resolve, and ports that need rights, are left to the server's bind.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            "0.0.0.0" if host in ("*", "") else host.strip("[]"), port, type=socket.SOCK_STREAM
        )[0]
    except (OSError, UnicodeError):
        return
    try:
        with socket.socket(family, kind, protocol) as probe:
            # As the server has it: connections of a master that ended do not hold the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise cannot_listen(host, port) from error
        if error.errno == errno.EADDRNOTAVAIL:
            raise _cannot_listen(host, port, _NOT_OURS) from error


def cannot_listen(host: str, port: int) -> UsageError:
    """Returns the error for a port that cannot be bound; it names who listens there, if that can be seen."""
    holder = holder_of(port)
    return _cannot_listen(host, port, f"{_IN_USE} by {holder}" if holder else f"{_IN_USE} or {_NOT_OURS}")


def _cannot_listen(host: str, port: int, reason: str) -> UsageError:
    return UsageError(
        f"cannot listen on {bind_address(host, port)}: {reason}",
        remedy="end what uses it, or choose another with --bind-port",
    )
