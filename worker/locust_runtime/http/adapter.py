"""The transport adapter of HttpUser's client: a pool that users may share, and one CA store per process.

Without it each new TLS connection of each user would read the bundle of certificates anew (about 20 ms).
"""

from __future__ import annotations

import ssl
from functools import cache
from typing import Any

from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH, extract_zipped_paths
from urllib3 import PoolManager
from urllib3.util import create_urllib3_context


class LocustHttpAdapter(HTTPAdapter):
    """As requests' adapter, with `pool_manager` instead of a pool of its own, if one is given."""

    def __init__(self, pool_manager: PoolManager | None = None, **kwargs: Any) -> None:
        self._shared_pool_manager = pool_manager
        super().__init__(**kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        if self._shared_pool_manager is not None:
            self.poolmanager = self._shared_pool_manager
        else:
            super().init_poolmanager(*args, **kwargs)

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        host, options = super().build_connection_pool_key_attributes(request, verify, cert)
        if _uses_shared_context(verify, cert):
            options["ssl_context"] = _verifying_context()
        return host, options

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        if not (_uses_shared_context(verify, cert) and url.lower().startswith("https")):
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]
            return
        conn.cert_reqs = "CERT_REQUIRED"
        conn.ca_certs = None
        conn.ca_cert_dir = None


def _uses_shared_context(verify: Any, cert: Any) -> bool:
    # a client certificate is loaded into the context, so a shared one would hand it to every user
    return verify is True and not cert


@cache
def _verifying_context() -> ssl.SSLContext:
    context = create_urllib3_context()
    context.load_verify_locations(extract_zipped_paths(DEFAULT_CA_BUNDLE_PATH))  # type: ignore[no-untyped-call]
    return context
