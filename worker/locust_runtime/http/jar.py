"""Cookies of a FastHttpUser: the standard library's jar, spoken to in its own terms.

The jar decides everything (domain, path, secure, expiry); here are only the shapes it asks for.
"""

from __future__ import annotations

from http.cookiejar import CookieJar
from typing import Any

from geventhttpclient.header import Headers

from locust_runtime.http.places import Place


class _JarRequest:
    """What a CookieJar wants to know of a request."""

    def __init__(self, place: Place, *, first_host: str, redirected: bool) -> None:
        self._url = place.url
        self.host = place.host if place.port is None else f"{place.host}:{place.port}"
        self.type = place.scheme
        self.origin_req_host = first_host
        self.unverifiable = redirected
        self.cookie: str | None = None

    def get_full_url(self) -> str:
        return self._url

    def has_header(self, name: str) -> bool:
        return False

    def get_header(self, name: str, default: str = "") -> str:
        return default

    def add_unredirected_header(self, name: str, value: str) -> None:
        if name == "Cookie":
            self.cookie = value


class _JarResponse:
    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def info(self) -> Headers:
        return self._headers


def is_empty(jar: CookieJar) -> bool:
    """Whether the jar holds no cookie; asked before every request, so nothing is made for an answer."""
    return next(iter(jar), None) is None


def cookie_line(jar: CookieJar, place: Place, *, first_host: str, redirected: bool) -> str:
    """The Cookie line of a request's head, with its end; empty when no cookie belongs there."""
    request: Any = _JarRequest(place, first_host=first_host, redirected=redirected)
    jar.add_cookie_header(request)
    return f"Cookie: {request.cookie}\r\n" if request.cookie else ""


def keep_cookies(
    jar: CookieJar, place: Place, headers: Headers, *, first_host: str, redirected: bool
) -> None:
    """Puts the cookies that an answer from `place` sets into the jar."""
    request: Any = _JarRequest(place, first_host=first_host, redirected=redirected)
    response: Any = _JarResponse(headers)
    jar.extract_cookies(response, request)
