"""Where a request goes: from a URL to a host's connections and the target in the request line.

`locate` is pure and remembered; `Route` holds what is the same for all requests to one origin.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from geventhttpclient.client import HTTPClient, HTTPClientPool
from geventhttpclient.connectionpool import ConnectionPool
from geventhttpclient.url import URL

REMEMBERED_URLS: Final = 4096
"""How many parsed URLs are kept in a process: locustfiles use few shapes, and ids must not fill memory."""

# A path with its query that is sent as it stands: nothing to quote, to unquote or to cut off.
_PLAIN_PATH: Final = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,=:@/]*(\?[A-Za-z0-9\-._~!$&'()*+,;=:@/?]+)?")


@dataclass(frozen=True, slots=True)
class Place:
    """A URL taken apart. `target` is what stands in the request line, quoted."""

    url: str
    scheme: str
    host: str
    port: int | None
    target: str

    @property
    def origin(self) -> tuple[str, str, int | None]:
        return self.scheme, self.host, self.port


def locate(url: str, params: Any = None) -> Place:
    """Takes a URL apart, with `params` added to its query. Raises ValueError for what is no HTTP URL."""
    return _locate_remembered(url) if params is None else _locate(URL(url, params=params))


def below(base: Place, path: str) -> Place | None:
    """The place of a plain path below a base URL without parsing it; None when it must be parsed."""
    if _PLAIN_PATH.fullmatch(path) is None:
        return None
    prefix = "" if base.target == "/" and not base.url.endswith("/") else base.target
    if "?" in prefix:
        return None
    return Place(base.url + path, base.scheme, base.host, base.port, prefix + path)


@lru_cache(maxsize=REMEMBERED_URLS)
def _locate_remembered(url: str) -> Place:
    return _locate(URL(url))


def _locate(url: URL) -> Place:
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"{url} is no http:// or https:// URL")
    target = url.quoted_uri
    # a URL may leave its path out, a request line may not
    return Place(str(url), url.scheme, url.host, url.port, target if target.startswith("/") else "/" + target)


@dataclass(frozen=True, slots=True)
class Route:
    """The way to one origin: its connections, and what every request over them has in common."""

    pool: ConnectionPool
    fields: dict[str, str]
    """The client's default fields, Host, and a proxy's credentials."""
    target_prefix: str
    """Put before the target when a plain proxy wants absolute URLs, else empty."""

    @property
    def is_closed(self) -> bool:
        return bool(self.pool._closed)


def route_to(place: Place, clients: HTTPClientPool) -> Route:
    """The way to a place over the connections that `clients` keeps for its host."""
    client = clients.get_client(URL(f"{place.scheme}://{_host_text(place)}/"))
    fields = {name: str(value) for name, value in client.default_headers.items()}
    fields.setdefault("Host", _host_text(place))
    prefix = ""
    if client.use_proxy and not client.ssl:
        prefix = f"{place.scheme}://{_host_text(place)}"
        if client._proxy_credentials is not None:
            token = base64.b64encode(client._proxy_credentials.encode()).decode("ascii")
            fields["Proxy-Authorization"] = f"Basic {token}"
    return Route(client._connection_pool, fields, prefix)


def _host_text(place: Place) -> str:
    host = f"[{place.host}]" if ":" in place.host else place.host
    default = {"http": 80, "https": 443}[place.scheme]
    return host if place.port in (None, default) else f"{host}:{place.port}"


def default_user_agent() -> str:
    """What FastHttpUser calls itself unless told otherwise."""
    return str(HTTPClient.DEFAULT_HEADERS["User-Agent"])
