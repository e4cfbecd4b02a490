"""Where a redirect leads, and with what method and body. Pure; the rules are those of requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from geventhttpclient.url import URL
from geventhttpclient.useragent import UnrewoundBodyError, UnsupportedRedirectSchemeError

from locust_runtime.http.bodies import NO_BODY, Body

REDIRECT_CODES: Final = frozenset((301, 302, 303, 307, 308))
_KEEPS_BODY: Final = frozenset((307, 308))
_BODY_FIELDS: Final = ("content-length", "content-type", "content-encoding", "transfer-encoding")


@dataclass(frozen=True, slots=True)
class Hop:
    """The next request of a chain."""

    method: str
    url: str
    body: Body
    dropped_fields: frozenset[str]
    """Names, in lower case, of fields that must not be sent along any more."""


def next_hop(*, method: str, url: str, body: Body, status: int, location: str) -> Hop:
    """The request that follows an answer with `status` and `location`.

    Raises UnsupportedRedirectSchemeError when it leaves HTTP, UnrewoundBodyError when the body was a stream
    and would have to be sent again.
    """
    old = URL(url)
    new = old.redirect(location)
    if new.scheme not in ("http", "https"):
        raise UnsupportedRedirectSchemeError(url, f"refusing to follow redirect to {new.scheme!r} URL")
    dropped: set[str] = set()
    if (new.scheme, new.host, new.port) != (old.scheme, old.host, old.port):
        # credentials, and a Host that the request set, were meant for the first target
        dropped |= {"authorization", "host"}
    if status in _KEEPS_BODY:
        if body.is_stream:
            raise UnrewoundBodyError(url, "payload cannot be rewound and resent after a redirect")
    else:
        body = NO_BODY
        dropped.update(_BODY_FIELDS)
    return Hop(_next_method(method, status), str(new), body, frozenset(dropped))


def _next_method(method: str, status: int) -> str:
    if status in (302, 303) and method != "HEAD":
        return "GET"
    return "GET" if status == 301 and method == "POST" else method
