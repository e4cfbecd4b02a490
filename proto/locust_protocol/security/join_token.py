"""Join tokens: what a worker or a client needs to know to trust a master, and to be trusted by it.

A token names the master's certificate by its hash, so nobody in between can pose as the master, and holds the
secret of a role. It is text for people to paste: `lg1.<hash of the certificate>.<secret>`.

Pure. Must never show a secret in a representation.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field

from locust_protocol.process.errors import UsageError

PREFIX = "lg1"
"""The version of the format."""

SECRET_BYTES = 20
"""160 bits: not to be guessed, and short enough for one line of a terminal with the hash."""

MAX_TOKEN_CHARS = 256
"""A token is 89 characters; what is far longer is something else."""

_HASH = re.compile(r"[a-z2-7]{52}")
_SECRET = re.compile(r"[a-z2-7]{32}")


class NoToken(UsageError):
    """A text is no join token."""


@dataclass(frozen=True, slots=True)
class JoinToken:
    """The hash of the master's certificate, and a secret."""

    certificate_hash: str
    secret: str = field(repr=False)

    def __str__(self) -> str:
        return f"{PREFIX}.{self.certificate_hash[:8]}….(secret)"

    @property
    def text(self) -> str:
        """The token as it is pasted and kept in files; never log it."""
        return f"{PREFIX}.{self.certificate_hash}.{self.secret}"

    def names(self, certificate: bytes) -> bool:
        """True when a certificate (DER) is the one that the token was made for."""
        return hmac.compare_digest(self.certificate_hash, certificate_hash(certificate))


def certificate_hash(certificate: bytes) -> str:
    """Returns the SHA-256 of a certificate (DER) in base32."""
    return _base32(hashlib.sha256(certificate).digest())


def new_secret(random_bytes: bytes) -> str:
    """Returns a secret made of `SECRET_BYTES` random bytes."""
    if len(random_bytes) != SECRET_BYTES:
        raise ValueError(f"a secret has {SECRET_BYTES} bytes")
    return _base32(random_bytes)


def read_token(text: str, *, source: str) -> JoinToken:
    """Returns the token that a text is; `source` names where it stood. Raises `NoToken`, never with it."""
    parts = text.strip()[: MAX_TOKEN_CHARS + 1].split(".")
    if len(parts) == 3:
        prefix, named, secret = parts
        if prefix == PREFIX and _HASH.fullmatch(named) and _SECRET.fullmatch(secret):
            return JoinToken(named, secret)
    raise NoToken(
        f"{source} holds no join token, which looks like {PREFIX}.….…",
        remedy="`locust-master token` prints it on the master's machine",
    )


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()
