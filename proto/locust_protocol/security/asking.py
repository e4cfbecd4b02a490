"""Asks a person at the terminal for a join token."""

from __future__ import annotations

import asyncio
import getpass
import sys

from locust_protocol.process.errors import UsageError
from locust_protocol.security.access import Ask
from locust_protocol.security.join_token import JoinToken, NoToken, read_token

ATTEMPTS = 3


def ask_token_if_possible() -> Ask | None:
    """Returns how to ask, None when nobody sits at a terminal."""
    return ask_token if sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty() else None


async def ask_token(target: str) -> JoinToken:
    """Asks for the token of a master. Raises `UsageError` when none is entered."""
    print(
        f"The master at {target} wants a join token; `locust-master token` prints it on its machine.\n"
        "It is asked for once and then remembered.",
        file=sys.stderr,
    )
    for _ in range(ATTEMPTS):
        try:
            text = await asyncio.to_thread(getpass.getpass, "Join token: ")
        except EOFError:
            break
        try:
            return read_token(text, source="what was entered")
        except NoToken as error:
            print(f"{error}", file=sys.stderr)
    raise UsageError(f"no join token for {target} was entered")
