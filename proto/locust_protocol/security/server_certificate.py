"""Looks at the certificate of a master before anything is said to it.

Nothing is trusted here: the certificate is compared with the one that a join token names, and a channel that
takes no other is opened only then. Must never send more than a TLS handshake.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl

from locust_protocol.process.errors import UsageError

LOOK_TIMEOUT_S = 5.0
"""Seconds for a connection and its handshake."""


class NoConnection(Exception):
    """Nobody answers at the address; the text says why."""


class NoTls(UsageError):
    """Somebody answers, and not in TLS."""

    def __init__(self, target: str) -> None:
        super().__init__(
            f"{target} speaks no TLS",
            remedy="a master that was started with --insecure wants that of its workers and clients too; "
            "anything else there is no locust-master",
        )


async def fetch_certificate(target: str, *, timeout_s: float = LOOK_TIMEOUT_S) -> bytes:
    """Returns the certificate (DER) that "host:port" shows. Raises `NoConnection` or `NoTls`."""
    host, _, port = target.rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port), ssl=context)
    except ssl.SSLEOFError as error:
        raise NoConnection("it ended the connection") from error
    except ssl.SSLError as error:
        raise NoTls(target) from error
    except TimeoutError as error:
        raise NoConnection("it does not answer") from error
    except OSError as error:
        raise NoConnection(_reason(error)) from error
    try:
        certificate: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        # Aborted: a peer that never closes would hold us here.
        writer.transport.abort()
    if not certificate:
        raise NoTls(target)
    return certificate


def _reason(error: OSError) -> str:
    """Returns why there is no connection: asyncio's own texts name addresses, of several tries at once."""
    if isinstance(error, socket.gaierror) or error.errno is None:
        return (error.strerror or str(error)).lower()
    return os.strerror(error.errno).lower()
