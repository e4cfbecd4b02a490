"""TLS contexts of FastHttpUser: one for all users of a process, since a CA store is half a megabyte.

gevent's contexts, whether the process is patched or not.
"""

from __future__ import annotations

from functools import cache

from gevent import ssl


def trusting_context(cafile: str | None = None) -> ssl.SSLContext:
    """The process's context that checks no certificate; `cafile` is not read."""
    return _shared_trusting_context()


@cache
def verifying_context(cafile: str | None = None) -> ssl.SSLContext:
    """The process's context that checks certificates against `cafile`."""
    return ssl.create_default_context(cafile=cafile)


@cache
def _shared_trusting_context() -> ssl.SSLContext:
    return insecure_ssl_context_factory()


def insecure_ssl_context_factory() -> ssl.SSLContext:
    """A new context that checks no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
