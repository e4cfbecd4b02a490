"""The master's own key, certificate and join tokens, made at the first start and kept in the user's folder.

The certificate is self-signed and is trusted by its hash alone, which every join token holds; what it says
about names and dates is for the rules of TLS. The layout is that of a secret in Compose or Kubernetes:
`tls.key`, `tls.crt`, `worker.token`, `control.token`, `read-only.token`.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from locust_protocol.channels import PINNED_NAME
from locust_protocol.process.errors import UsageError
from locust_protocol.security.join_token import (
    SECRET_BYTES,
    JoinToken,
    certificate_hash,
    new_secret,
    read_token,
)
from locust_protocol.security.private_files import make_private_folder, read_private, write_private
from locust_protocol.security.roles import AccessRole

KEY_FILE = "tls.key"
CERTIFICATE_FILE = "tls.crt"

VALID_DAYS = 3650
"""Days of a certificate: it is pinned, so its end would only be an outage."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Key and certificate in PEM."""

    certificate: bytes
    key: bytes = field(repr=False)

    @property
    def certificate_hash(self) -> str:
        """The hash that join tokens name it by."""
        return certificate_hash(ssl.PEM_cert_to_DER_cert(self.certificate.decode()))


def own_identity(folder: Path) -> Identity:
    """Returns what is in the folder, made and completed where there is none. Raises `UsageError`."""
    make_private_folder(folder)
    key, certificate = read_private(folder / KEY_FILE), read_private(folder / CERTIFICATE_FILE)
    if (key is None) != (certificate is None):
        there, missing = (KEY_FILE, CERTIFICATE_FILE) if certificate is None else (CERTIFICATE_FILE, KEY_FILE)
        raise UsageError(f"{folder} has {there} and no {missing}", remedy="put it back, or remove both")
    if key is None or certificate is None:
        identity = _make_identity()
        write_private(folder / KEY_FILE, identity.key)
        write_private(folder / CERTIFICATE_FILE, identity.certificate)
    else:
        identity = Identity(certificate.encode(), key.encode())
    try:
        named = identity.certificate_hash
    except ValueError as error:
        raise UsageError(f"{folder / CERTIFICATE_FILE} is no certificate in PEM") from error
    complete_tokens(folder, certificate_hash=named)
    return identity


def complete_tokens(folder: Path, *, certificate_hash: str) -> None:
    """Makes tokens that are missing, or that name another certificate. Raises `UsageError`."""
    make_private_folder(folder)
    for role in AccessRole:
        token = read_role_token(folder, role)
        if token is None:
            rotate_token(folder, role, certificate_hash=certificate_hash)
        elif token.certificate_hash != certificate_hash:
            write_private(folder / role.file_name, JoinToken(certificate_hash, token.secret).text + "\n")


def rotate_token(folder: Path, role: AccessRole, *, certificate_hash: str) -> JoinToken:
    """Gives a role a new secret; the old one holds no longer. Raises `UsageError`."""
    token = JoinToken(certificate_hash, new_secret(os.urandom(SECRET_BYTES)))
    write_private(folder / role.file_name, token.text + "\n")
    return token


def read_role_token(folder: Path, role: AccessRole) -> JoinToken | None:
    """Returns the token of a role, None when there is none. Raises `UsageError`."""
    path = folder / role.file_name
    text = read_private(path)
    return None if text is None else read_token(text, source=str(path))


def _make_identity() -> Identity:
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, PINNED_NAME)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # A worker whose clock is behind must not be kept out.
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(PINNED_NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Identity(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
