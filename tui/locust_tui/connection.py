"""What stands between this screen and a master, and how it is said. Pure: no gRPC, no clock.

The client tells a `Link` whenever something changes; screens turn it into words with the present time.
A refused wish is an `OperatorError` with the master's own sentence; its subclass says what a person can
do: look at the changed plan, mend the wish, or wait for the master.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from locust_protocol.process.errors import DegradedError, OperatorError

SILENT_AFTER_S = 3.0
"""Seconds without news during a run after which numbers count as stale; news is due every second."""


class LinkPhase(enum.Enum):
    """Whether a master is there."""

    CONNECTING = enum.auto()
    CONNECTED = enum.auto()
    LOST = enum.auto()


class Trouble(enum.Enum):
    """Why it is not."""

    REFUSED = enum.auto()
    UNREACHABLE = enum.auto()
    UNKNOWN_HOST = enum.auto()
    NOT_A_MASTER = enum.auto()
    KEPT_OUT = enum.auto()
    TOO_MANY_WATCHERS = enum.auto()
    ENDED = enum.auto()
    OTHER = enum.auto()


@dataclass(frozen=True, slots=True)
class Link:
    """State of the connection; `since_s` is the monotonic second at which the phase began."""

    target: str
    phase: LinkPhase
    since_s: float
    trouble: Trouble | None = None
    detail: str = ""
    was_connected: bool = False


class WishRefused(OperatorError):
    """The master understood and said no; its message says why."""


class PlanChanged(WishRefused):
    """Somebody changed the run since this client looked: look again, then wish again."""


class MasterSilent(DegradedError):
    """No answer in time; the wish may have been carried out."""


def headline(link: Link, now_s: float) -> str:
    """Returns what is the matter in one sentence, or "" while connected."""
    waited = f"{max(0.0, now_s - link.since_s):.0f} s"
    if link.phase is LinkPhase.CONNECTED:
        return ""
    if link.phase is LinkPhase.CONNECTING and link.trouble is None:
        return f"connecting to {link.target}"
    if link.was_connected:
        return f"master lost {waited} ago: {cause(link)}"
    return f"no master at {link.target} for {waited}: {cause(link)}"


def remedy(link: Link) -> str:
    """Returns the next step for a person, or ""."""
    match link.trouble:
        case Trouble.REFUSED | Trouble.ENDED:
            return "start one there (locust-master -f locustfile.py), or change --master-host, --master-port"
        case Trouble.UNREACHABLE:
            return "see whether the machine is up and a firewall lets the port through"
        case Trouble.UNKNOWN_HOST:
            return "see whether --master-host is spelled right, or give its IP address"
        case Trouble.NOT_A_MASTER:
            return "change --master-port, or install the same release of locust-grpc on both sides"
        case Trouble.KEPT_OUT:
            return "leave, and start again with what it wants"
        case Trouble.TOO_MANY_WATCHERS:
            return "close another client of this master"
        case Trouble.OTHER:
            return "the log of the master may say more"
        case None:
            return ""


def cause(link: Link) -> str:
    """Returns why there is no master, to follow a colon."""
    match link.trouble:
        case Trouble.REFUSED:
            return "connection refused"
        case Trouble.UNREACHABLE:
            return "it does not answer"
        case Trouble.UNKNOWN_HOST:
            return "its name cannot be resolved"
        case Trouble.NOT_A_MASTER:
            return "what answers there is no locust-master of this protocol"
        case Trouble.TOO_MANY_WATCHERS:
            return "it has as many watchers as it takes"
        case Trouble.ENDED:
            return "it has ended"
        case _:
            return link.detail or "unknown trouble"
