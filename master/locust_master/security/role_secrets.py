"""Whose secret a caller shows: the token files, read anew when they change.

A rotation takes effect with the next call. What a worker was let in with before holds on for that worker, so
that a rotation drops nobody: each process of ours shows, beside the secret, a number that it drew for itself,
and the pair is what is remembered. It holds for calls of a session, never for a new registration.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections import OrderedDict
from pathlib import Path

from locust_master.security.identity import read_role_token
from locust_protocol.process.errors import UsageError
from locust_protocol.security.roles import AccessRole

logger = logging.getLogger(__name__)

MAX_REMEMBERED = 8_000
"""Processes that a rotation does not drop: twice the connections that there may be."""


class RoleSecrets:
    """The secrets of the roles, in the folder of the master's identity."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamps: dict[AccessRole, tuple[int, int]] = {}
        self._digests: dict[AccessRole, bytes] = {}
        self._let_in: OrderedDict[tuple[bytes, str], None] = OrderedDict()
        self._look()

    def role_of(self, secret: str, *, process: str = "", is_session: bool = False) -> AccessRole | None:
        """Returns the role of a secret, None when it is nobody's.

        `process` is what the caller calls itself; with `is_session` a worker's secret of before counts for a
        process that was let in with it.
        """
        self._look()
        shown = _digest(secret)
        found = None
        # All of them every time: how long it takes says nothing about how near a guess was.
        for role, digest in self._digests.items():
            if hmac.compare_digest(shown, digest):
                found = role
        pair = (shown, process)
        if found is AccessRole.WORKER and process:
            self._let_in[pair] = None
            self._let_in.move_to_end(pair)
            if len(self._let_in) > MAX_REMEMBERED:
                self._let_in.popitem(last=False)
        if found is None and is_session and pair in self._let_in:
            return AccessRole.WORKER
        return found

    def _look(self) -> None:
        """Reads the files that changed; one that cannot be read leaves what was."""
        for role in AccessRole:
            try:
                found = (self._folder / role.file_name).stat()
                stamp = (found.st_mtime_ns, found.st_ino)
                if stamp == self._stamps.get(role):
                    continue
                token = read_role_token(self._folder, role)
            except (OSError, UsageError) as error:
                if role in self._stamps:
                    logger.warning(
                        "the %s token cannot be read, the one of before holds: %s", role.value, error
                    )
                    del self._stamps[role]
                continue
            if token is None:
                continue
            if role in self._digests:
                logger.info("the %s token is a new one from now on", role.value)
            self._stamps[role] = stamp
            self._digests[role] = _digest(token.secret)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
