"""How the master's port is protected: its own identity or the user's certificates, and the role secrets."""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from locust_master.security.identity import Identity, own_identity
from locust_master.security.protection_terms import ProtectionTerms
from locust_master.security.role_secrets import RoleSecrets
from locust_protocol.process.errors import UsageError
from locust_protocol.security.private_files import security_folder

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Protection:
    """Certificates that the port shows and demands, and whose secrets count."""

    identity: Identity
    secrets: RoleSecrets
    folder: Path
    terms: ProtectionTerms

    @property
    def has_authority(self) -> bool:
        """True when the certificate is of an authority of the user's own."""
        return self.terms.certificate_file is not None

    def server_credentials(self) -> grpc.ServerCredentials:
        """Returns what the port is opened with."""
        if not self.has_authority:
            return grpc.ssl_server_credentials([(self.identity.key, self.identity.certificate)])
        files = _CertificateFiles(self.terms)
        return grpc.dynamic_ssl_server_credentials(
            files.configuration(),
            files.changed_configuration,  # type: ignore[arg-type]  # None: nothing changed
            require_client_authentication=self.terms.client_authority_file is not None,
        )


def make_protection(terms: ProtectionTerms) -> Protection | None:
    """Returns the protection, None for none. Raises `UsageError` for files that cannot be used."""
    if terms.is_insecure:
        return None
    folder = security_folder()
    return Protection(own_identity(folder), RoleSecrets(folder), folder, terms)


class _CertificateFiles:
    """The user's certificate files; gRPC asks at every handshake whether they changed."""

    def __init__(self, terms: ProtectionTerms) -> None:
        files = (terms.certificate_file, terms.key_file, terms.client_authority_file)
        self._certificate, self._key, self._authority = files
        self._paths = [path for path in files if path is not None]
        self._stamps = self._look()
        self._check()

    def configuration(self) -> grpc.ServerCertificateConfiguration:
        """Returns what the files hold."""
        assert self._certificate is not None
        assert self._key is not None
        return grpc.ssl_server_certificate_configuration(
            [(self._key.read_bytes(), self._certificate.read_bytes())],
            root_certificates=None if self._authority is None else self._authority.read_bytes(),
        )

    def changed_configuration(self) -> grpc.ServerCertificateConfiguration | None:
        """Returns what the files hold when they changed and can be used, else None."""
        try:
            stamps = self._look()
            if stamps == self._stamps:
                return None
            self._stamps = stamps
            self._check()
            configuration = self.configuration()
        except (OSError, UsageError) as error:
            logger.warning("the new certificate is not taken up: %s", error)
            return None
        logger.info("a new certificate is taken up: %s", self._certificate)
        return configuration

    def _look(self) -> list[tuple[int, int]]:
        stamps = []
        for path in self._paths:
            try:
                found = path.stat()
            except OSError as error:
                raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
            stamps.append((found.st_mtime_ns, found.st_ino))
        return stamps

    def _check(self) -> None:
        """Loads the files as TLS would: gRPC itself says nothing about what is wrong with them."""
        assert self._certificate is not None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self._certificate, self._key)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(
                f"{self._certificate} and {self._key} are no certificate and its key: {error}"
            ) from error
        if self._authority is not None:
            try:
                context.load_verify_locations(self._authority)
            except (OSError, ssl.SSLError) as error:
                raise UsageError(f"{self._authority} holds no certificates in PEM: {error}") from error
