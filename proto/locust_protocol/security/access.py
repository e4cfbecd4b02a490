"""How a worker or a client gets in at a master: which certificate it takes, and which token it shows.

A token may be given (a file, $LOCUST_TOKEN), remembered from an earlier time, or be this user's own, where
the master runs on the same machine; in this order. A given or remembered one that names another certificate
is an alarm; our own that does is but another master's.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from locust_protocol.process.errors import UsageError
from locust_protocol.security.access_terms import TOKEN_VARIABLE, AccessTerms
from locust_protocol.security.join_token import JoinToken, read_token
from locust_protocol.security.known_masters import KnownMasters
from locust_protocol.security.private_files import read_private, security_folder
from locust_protocol.security.roles import AccessRole
from locust_protocol.security.server_certificate import LOOK_TIMEOUT_S, fetch_certificate

Ask = Callable[[str], Awaitable[JoinToken]]
"""Asks a person for the token of a master ("host:port")."""


class AccessDenied(UsageError):
    """This side will not, or cannot, talk to that master; the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a channel is opened with. `roots` None: no TLS at all."""

    roots: bytes | None = None
    is_pinned: bool = False
    token: JoinToken | None = None
    key: bytes | None = field(default=None, repr=False)
    certificate: bytes | None = None


async def find_access(
    target: str, terms: AccessTerms, *, ask: Ask | None = None, timeout_s: float = LOOK_TIMEOUT_S
) -> Access:
    """Returns how to get in at "host:port". Raises `AccessDenied`, `NoConnection` or `NoTls`.

    `ask` is for a person who can be asked; what was entered is remembered.
    """
    if terms.is_insecure:
        return Access()
    key, certificate = _own_certificate(terms)
    if terms.authority_file is not None:
        token = _given_token(terms) or KnownMasters(security_folder()).find(target, terms.role)
        if token is None:
            token = await _asked(target, terms, ask, None)
        roots = _read_file(terms.authority_file)
        return Access(roots=roots, token=token, key=key, certificate=certificate)
    shown = await fetch_certificate(target, timeout_s=timeout_s)
    token = _pinned_token(target, terms, shown) or await _asked(target, terms, ask, shown)
    pem = ssl.DER_cert_to_PEM_cert(shown).encode()
    return Access(roots=pem, is_pinned=True, token=token, key=key, certificate=certificate)


def _pinned_token(target: str, terms: AccessTerms, shown: bytes) -> JoinToken | None:
    if (given := _given_token(terms)) is not None:
        source = str(terms.token_file) if terms.token_file else TOKEN_VARIABLE
        return _checked(given, shown, target, f"get a new token, or take {source} away")
    known = KnownMasters(security_folder())
    if (remembered := known.find(target, terms.role)) is not None:
        return _checked(remembered, shown, target, f"take its entry out of {known.path}")
    own = read_private(security_folder() / terms.role.file_name)
    if own is not None:
        token = read_token(own, source=terms.role.file_name)
        if token.names(shown):
            return token
    return None


def _given_token(terms: AccessTerms) -> JoinToken | None:
    if terms.token_file is not None:
        text = read_private(terms.token_file)
        if text is None:
            raise AccessDenied(f"there is no file {terms.token_file}", remedy="see --token-file")
        return read_token(text, source=str(terms.token_file))
    if terms.environment_token:
        return read_token(terms.environment_token, source=TOKEN_VARIABLE)
    return None


def _checked(token: JoinToken, shown: bytes, target: str, remedy: str) -> JoinToken:
    if not token.names(shown):
        raise AccessDenied(
            f"the certificate of {target} is not the one that the token names: somebody may stand between, "
            "and nothing was said to it",
            remedy=f"if the master was set up anew, {remedy}; if an authority vouches for it, name that "
            "one's certificates with --tls-ca",
        )
    return token


async def _asked(target: str, terms: AccessTerms, ask: Ask | None, shown: bytes | None) -> JoinToken:
    if ask is None:
        role = "" if terms.role is AccessRole.WORKER else f" --role {terms.role.value}"
        raise AccessDenied(
            f"the master at {target} wants a join token",
            remedy=f"`locust-master token{role}` prints it on the master's machine: give it with "
            f"--token-file or ${TOKEN_VARIABLE}",
        )
    token = await ask(target)
    if shown is not None:
        _checked(token, shown, target, "enter its new token")
    KnownMasters(security_folder()).remember(target, terms.role, token)
    return token


def _own_certificate(terms: AccessTerms) -> tuple[bytes | None, bytes | None]:
    if terms.certificate_file is None and terms.key_file is None:
        return None, None
    if terms.certificate_file is None or terms.key_file is None:
        raise AccessDenied("--tls-cert and --tls-key belong together", remedy="give both")
    return _read_file(terms.key_file), _read_file(terms.certificate_file)


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AccessDenied(f"cannot read {path}: {error.strerror or error}") from error
