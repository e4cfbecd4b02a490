"""The flags by which commands get in at a master, and by which a master says who may."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

from locust_protocol.process.flags import Flag, FlagKind
from locust_protocol.process.general_flags import GENERAL_FLAGS
from locust_protocol.security.access_terms import TOKEN_VARIABLE, AccessTerms
from locust_protocol.security.private_files import SECURITY_DIR_VARIABLE
from locust_protocol.security.roles import AccessRole

SECURITY = "Security"


def path(text: str) -> Path:
    """Returns the path that a flag names."""
    return Path(text).expanduser()


_INSECURE = Flag(
    ("--insecure",),
    "No encryption and no tokens, as it has to be on the other side too: whoever reaches the port commands "
    "the fleet and reads the locustfile.",
    SECURITY,
    FlagKind.SWITCH,
    env="LOCUST_INSECURE",
)

_TLS_CERT = Flag(
    ("--tls-cert",),
    "Certificate of this side in PEM, of an authority of your own; read anew when it changes.",
    SECURITY,
    env="LOCUST_TLS_CERT",
    parse=path,
    metavar="FILE",
)

_TLS_KEY = Flag(
    ("--tls-key",),
    "Key of that certificate in PEM.",
    SECURITY,
    env="LOCUST_TLS_KEY",
    parse=path,
    metavar="FILE",
)

MASTER_SECURITY_FLAGS = (
    _INSECURE,
    _TLS_CERT,
    _TLS_KEY,
    Flag(
        ("--tls-client-ca",),
        "Certificates of the authority that the certificates of workers and clients must be of.",
        SECURITY,
        env="LOCUST_TLS_CLIENT_CA",
        parse=path,
        metavar="FILE",
    ),
)
"""How `locust-master` is to be trusted, and whom it trusts."""

TOKEN_FLAGS = (
    Flag(
        ("--role",),
        "Whose token: worker (joins and reports), control (starts, changes and stops runs) or read-only "
        "(watches and exports).",
        SECURITY,
        default=AccessRole.WORKER.value,
        choices=tuple(role.value for role in AccessRole),
        metavar="ROLE",
        in_config_files=False,
    ),
    Flag(
        ("--rotate",),
        "Renew it first; the old one holds no longer, and workers that are in stay in.",
        SECURITY,
        FlagKind.SWITCH,
        in_config_files=False,
    ),
    Flag(
        ("--create",),
        "Make key, certificate and tokens in this folder, for masters that are started with it as "
        f"${SECURITY_DIR_VARIABLE}; what is there already stays.",
        SECURITY,
        parse=path,
        metavar="DIR",
        in_config_files=False,
    ),
    *GENERAL_FLAGS,
)
"""Everything that `locust-master token` takes."""

ACCESS_FLAGS = (
    Flag(
        ("--token-file",),
        f"File with the join token of the master, as `locust-master token` prints it; ${TOKEN_VARIABLE} may "
        "hold it instead. On the master's own machine, of the same user, none is needed.",
        SECURITY,
        env="LOCUST_TOKEN_FILE",
        parse=path,
        metavar="FILE",
    ),
    Flag(
        ("--tls-ca",),
        "Certificates of the authority that the master's certificate is of, where it has one.",
        SECURITY,
        env="LOCUST_TLS_CA",
        parse=path,
        metavar="FILE",
    ),
    # In a config file that a master shares, these keys are the master's certificate.
    replace(_TLS_CERT, in_config_files=False),
    replace(_TLS_KEY, in_config_files=False),
    _INSECURE,
)
"""How `locust-worker` and `locust-tui` get in at a master."""


def access_terms(values: argparse.Namespace, role: AccessRole) -> AccessTerms:
    """Returns what parsed flags and the environment say about getting in."""
    return AccessTerms(
        role,
        is_insecure=values.insecure,
        token_file=values.token_file,
        environment_token=os.environ.get(TOKEN_VARIABLE, ""),
        authority_file=values.tls_ca,
        certificate_file=values.tls_cert,
        key_file=values.tls_key,
    )
