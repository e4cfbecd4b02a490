"""What the session with the master asks for: each is to be done at once and in order, and none is a decision.

Pure: the connection carries out what is about the network, the agent what is about users and the end.
"""

from __future__ import annotations

from dataclasses import dataclass

from locust_protocol.process.exit_codes import ExitCode


@dataclass(frozen=True, slots=True)
class Register:
    """Ask to be admitted, `delay_s` from now."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class OpenStreams:
    """Open the streams of the session."""


@dataclass(frozen=True, slots=True)
class CloseStreams:
    """Close the streams of the session; nothing more is sent in it."""


@dataclass(frozen=True, slots=True)
class Fence:
    """End all users, keep their statistics: the share may be somebody else's by now."""

    reason: str


@dataclass(frozen=True, slots=True)
class Drain:
    """End all users as a stop does, and send the last reports while there is a session."""

    reason: str


@dataclass(frozen=True, slots=True)
class Say:
    """Tell the operator: something that may pass by itself, or that an end is coming."""

    text: str
    is_warning: bool = True


@dataclass(frozen=True, slots=True)
class End:
    """End the agent."""

    exit_code: ExitCode
    text: str = ""


SessionEffect = Register | OpenStreams | CloseStreams | Fence | Drain | Say | End
