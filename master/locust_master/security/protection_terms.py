"""What the command line says about keys and certificates. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from locust_protocol.process.errors import UsageError


@dataclass(frozen=True, slots=True)
class ProtectionTerms:
    """Files of an authority of the user's own, if any; `is_insecure`: neither encryption nor tokens."""

    is_insecure: bool = False
    certificate_file: Path | None = None
    key_file: Path | None = None
    client_authority_file: Path | None = None

    def checked(self) -> ProtectionTerms:
        """Returns itself. Raises `UsageError` for what does not go together."""
        if (self.certificate_file is None) != (self.key_file is None):
            raise UsageError("--tls-cert and --tls-key belong together", remedy="give both")
        if self.client_authority_file is not None and self.certificate_file is None:
            raise UsageError(
                "--tls-client-ca without a certificate of the master", remedy="add --tls-cert and --tls-key"
            )
        if self.is_insecure and self.certificate_file is not None:
            raise UsageError("--insecure and --tls-cert exclude each other", remedy="give one of them")
        return self
