"""What a person on another machine has to do to get in."""

from __future__ import annotations

import socket

from locust_protocol.security.access_terms import TOKEN_VARIABLE
from locust_protocol.security.roles import AccessRole

_COMMANDS = {
    AccessRole.WORKER: "locust-worker",
    AccessRole.CONTROL: "locust-tui",
    AccessRole.READ_ONLY: "locust-tui",
}


def invitation(role: AccessRole) -> str:
    """Returns how to use a token of a role elsewhere, for a person who has just been shown it."""
    command = _COMMANDS[role]
    return (
        f"On another machine: {command} --master-host {own_address()}\n"
        f"It asks for the token once; or put it in a file and add --token-file, or in ${TOKEN_VARIABLE}."
    )


def pasteable_line(token_text: str, *, where: str) -> str:
    """Returns one line for a shell on another machine; the token is in no command line of a process."""
    return f"{TOKEN_VARIABLE}={token_text} locust-worker --master-host {where}"


def own_address() -> str:
    """Returns the address by which others probably reach this machine."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only asks which way a packet would go
            return str(probe.getsockname()[0])
    except OSError:
        return socket.gethostname()
