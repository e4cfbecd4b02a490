"""A user's host and the URLs below it: joining, and credentials written into the host.

Pure. Both HTTP clients start here, so that the same host means the same requests.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from locust_runtime.exceptions import LocustError, StopTest

Credentials = tuple[str, str]
"""User name and password, decoded."""

_ABSOLUTE: Final = ("http://", "https://")


class MissingHostError(LocustError, StopTest):
    """A user class that needs a host has none; ends the test, since no user of the class could start."""


def required_host(host: str | None, *, user_class: type) -> str:
    """Returns `host`, or raises MissingHostError with what to do about it."""
    if host is None:
        raise MissingHostError(
            f"{user_class.__name__} has no host to send requests to: "
            "give one with --host, or set the attribute `host` of the class."
        )
    return host


def join_url(base_url: str | None, path: str) -> str:
    """Where a request for `path` goes: `path` itself when it is absolute, else put after the base."""
    if path.startswith(_ABSOLUTE) or path[:8].lower().startswith(_ABSOLUTE):
        return path
    return f"{base_url}{path}"


def split_credentials(base_url: str) -> tuple[str, Credentials | None]:
    """Takes `user:password@` out of a base URL. Both parts must be there to count as credentials."""
    parts = urlsplit(base_url)
    if not (parts.username and parts.password):
        return base_url, None
    # from the right: an IPv6 host keeps its brackets, a password its own "@"
    netloc = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=netloc)), (unquote(parts.username), unquote(parts.password))


def basic_auth_header(username: str | bytes, password: str | bytes) -> str:
    """The value of an Authorization header for Basic authentication."""
    user = username.encode("latin1") if isinstance(username, str) else username
    word = password.encode("latin1") if isinstance(password, str) else password
    return "Basic " + b64encode(user + b":" + word).decode("ascii")
