"""Agrees on a protocol version, or says in one sentence who has to be upgraded.

Protocol versions are integers of their own, apart from the version of the software: both sides name the
range that they speak, and the highest common one is used. Pure: no clock, no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass

from locust_protocol.process.errors import UsageError

PROTOCOL_MIN = 1
"""The oldest protocol version that this release speaks."""

PROTOCOL_MAX = 1
"""The newest protocol version that this release speaks."""


@dataclass(frozen=True, slots=True)
class ProtocolRange:
    """The protocol versions that one side speaks, both ends included."""

    min: int
    max: int

    def __str__(self) -> str:
        return str(self.min) if self.min == self.max else f"{self.min} to {self.max}"


OUR_RANGE = ProtocolRange(PROTOCOL_MIN, PROTOCOL_MAX)
"""What this release speaks."""


class IncompatibleProtocol(UsageError):
    """Two sides have no protocol version in common; the remedy names the one to upgrade."""


def negotiate(
    mine: ProtocolRange,
    theirs: ProtocolRange,
    *,
    my_name: str = "this master",
    their_name: str = "the worker",
) -> int:
    """Return the highest version that both sides speak.

    Raises `IncompatibleProtocol` when there is none, or when the other side names no valid range.
    """
    if not 1 <= theirs.min <= theirs.max:
        raise IncompatibleProtocol(
            f"{their_name} names no valid protocol range ({theirs.min} to {theirs.max}); "
            f"{my_name} speaks {mine}",
            remedy=f"install the same release of locust-grpc for {their_name} as for {my_name}",
        )
    version = min(mine.max, theirs.max)
    if version >= max(mine.min, theirs.min):
        return version
    older = their_name if theirs.max < mine.min else my_name
    raise IncompatibleProtocol(
        f"no common protocol version: {my_name} speaks {mine}, {their_name} speaks {theirs}",
        remedy=f"upgrade locust-grpc on the side of {older}",
    )
