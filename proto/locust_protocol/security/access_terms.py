"""What a command line and the environment say about getting in at a master. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from locust_protocol.security.roles import AccessRole

TOKEN_VARIABLE = "LOCUST_TOKEN"


@dataclass(frozen=True, slots=True)
class AccessTerms:
    """What the command line and the environment say."""

    role: AccessRole
    is_insecure: bool = False
    token_file: Path | None = None
    environment_token: str = field(default="", repr=False)
    authority_file: Path | None = None
    """Certificates to check the master's against, instead of the one that a token names."""
    certificate_file: Path | None = None
    key_file: Path | None = None
    """Our own certificate, where the master demands one."""
