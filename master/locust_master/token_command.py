"""`locust-master token`: prints join tokens, renews them, or makes all that a fleet starts from.

The token alone goes to stdout, so that it can be sent on; what to do with it goes to a terminal's stderr.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from locust_master.security.identity import own_identity, read_role_token, rotate_token
from locust_master.security.invitation import invitation
from locust_protocol.process.access_flags import TOKEN_FLAGS
from locust_protocol.process.command_line import build_parser, parse_flags
from locust_protocol.process.config_files import UnknownKeys
from locust_protocol.process.errors import UsageError
from locust_protocol.security.private_files import security_folder
from locust_protocol.security.roles import AccessRole

PROGRAM = "locust-master token"


def run_token_command(arguments: Sequence[str]) -> int:
    """Runs the command and returns its exit code. Raises `UsageError`."""
    parser = build_parser(
        [TOKEN_FLAGS],
        prog=PROGRAM,
        description="Prints the join token by which workers and clients on other machines get in.",
        examples=(
            "locust-master token > join.token",
            "locust-master token --role read-only",
            "locust-master token --rotate",
            "locust-master token --create ./secret",
        ),
        unknown_keys=UnknownKeys.IGNORE,
    )
    values = parse_flags(parser, arguments, env=os.environ).values
    role = AccessRole(values.role)
    if values.create is not None:
        if values.rotate:
            raise UsageError("--create and --rotate exclude each other", remedy="give one of them")
        return _create(values.create)
    folder = security_folder()
    identity = own_identity(folder)
    if values.rotate:
        token = rotate_token(folder, role, certificate_hash=identity.certificate_hash)
        _say(f"The {role.value} token is a new one; running masters of this user take it up now.")
    else:
        found = read_role_token(folder, role)
        assert found is not None, "an identity has all tokens"
        token = found
    print(token.text)
    _say(invitation(role))
    return 0


def _create(folder: Path) -> int:
    own_identity(folder)
    for name in sorted(path.name for path in folder.iterdir()):
        print(folder / name)
    _say("Give masters all of it as LOCUST_SECURITY_DIR, workers worker.token alone as --token-file.")
    return 0


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(text, file=sys.stderr)
