"""What a run lacks: load that was not made, samples that may be missing, and with whom they went. Pure.

A run with losses is degraded and says so wherever it is shown. Whether that is a failure is the operator's
choice: `LossTerms` say how many workers may be lost, and what becomes of a lost one's share.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass


class LossKind(enum.Enum):
    """What was lost."""

    WORKER = "worker"
    """A worker fell silent until its lease was over."""
    RUNNER = "runner"
    """A runner process died."""
    LAST_REPORT = "last report"
    """A worker went without delivering all that it had."""
    FENCED = "fenced"
    """A worker could not reach the master and ended its users; its samples came later."""
    UNREADABLE = "unreadable"
    """A worker said again all that it had, and what it said before could not be taken back."""
    NO_WORKER = "no worker"
    """There was no worker at all."""


class WorkerLossPolicy(enum.Enum):
    """What becomes of the share of a worker that is lost."""

    REBALANCE = "rebalance"
    """The others run it, at the spawn rate."""
    KEEP = "keep"
    """Nobody runs it until the worker comes back."""
    FAIL = "fail"
    """The run ends."""


@dataclass(frozen=True, slots=True)
class LossTerms:
    """What the operator chose: up to `allow_lost` workers may be lost without the run counting as failed."""

    policy: WorkerLossPolicy = WorkerLossPolicy.REBALANCE
    allow_lost: int = 0


@dataclass(frozen=True, slots=True)
class Loss:
    """One loss: with whom, from which moment of the run, and how many milliseconds of samples may be missing.

    A lost worker's load is missing from its last sign of life on, until others run its share.

    `until_ms` is the moment at which it was over: the worker was back, with all its samples. `if_cut_off_ms`
    is how many milliseconds may be missing if the end of its connection was not its own end, but it went on,
    cut off, until its lease was over; 0 when that is out of the question.
    """

    worker: str
    at_ms: int
    missing_ms: int
    kind: LossKind = LossKind.WORKER
    until_ms: int | None = None
    if_cut_off_ms: int = 0

    @property
    def at_most_ms(self) -> int:
        """Milliseconds of samples that may be missing, whatever became of the worker."""
        return max(self.missing_ms, self.if_cut_off_ms)

    def sentence(self) -> str:
        """Says it to people."""
        return f"{self._what()}{self._until()}{self._missing()}"

    def _what(self) -> str:
        at = f"{self.at_ms / 1000:.0f} s"
        match self.kind:
            case LossKind.WORKER:
                return f"worker {self.worker} lost, silent from {at} on"
            case LossKind.RUNNER:
                return f"a runner of {self.worker} lost at {at}"
            case LossKind.LAST_REPORT:
                return f"worker {self.worker} went at {at} without its last report"
            case LossKind.FENCED:
                return f"worker {self.worker} ended its users at {at}, cut off from the master"
            case LossKind.UNREADABLE:
                return f"what worker {self.worker} said anew at {at} could not be merged"
            case LossKind.NO_WORKER:
                return f"no worker, so no load, from {at} on"

    def _until(self) -> str:
        if self.until_ms is None:
            return ""
        until = f"{self.until_ms / 1000:.0f} s"
        return f" until {until}" if self.kind is LossKind.NO_WORKER else f", back at {until}"

    def _missing(self) -> str:
        if self.at_most_ms > self.missing_ms:
            lived_on = f"up to {self.if_cut_off_ms} ms if it lived on, cut off"
            return f", up to {self.missing_ms} ms of its samples missing if it died then, {lived_on}"
        if self.missing_ms:
            return f", up to {self.missing_ms} ms of its samples missing"
        is_about_load_only = self.kind is LossKind.NO_WORKER
        return "" if is_about_load_only else ", none of its samples missing"


def lost_workers(losses: Sequence[Loss]) -> set[str]:
    """Names of the workers that were lost, for whatever time."""
    of_workers = (LossKind.WORKER, LossKind.LAST_REPORT, LossKind.FENCED)
    return {loss.worker for loss in losses if loss.kind in of_workers}


def is_beyond(losses: Sequence[Loss], terms: LossTerms) -> bool:
    """True when there were more losses than the operator allows."""
    workers = lost_workers(losses)
    if len(workers) > terms.allow_lost or any(loss.kind is LossKind.NO_WORKER for loss in losses):
        return True
    return bool(losses) and terms.allow_lost == 0


RECONNECT_S = 1.0
"""Seconds within which an agent that lives asks to be admitted again, once its connection ended."""

SILENT_INTERVALS = 1.5
"""Report intervals of silence after which a connection that ends did not end with its worker's death: one
that works reports more often, so this one stood still, or could not be heard, already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastSigns:
    """What is known of a worker that is not heard any more; all times in seconds on one clock."""

    complete_s: float
    """Until when its samples are here."""
    heard_s: float
    """When it was heard last."""
    report_interval_s: float
    """How often it was to report."""
    ended_s: float | None
    """When its connection ended; None: it has not, as far as is known."""
    users_until_s: float
    """When its users have ended, whatever became of it: nobody has heard of it since its lease began."""
    is_dead: bool = False
    """It is known that it died when its connection ended."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Milliseconds of samples that a worker may have taken with it; see `Loss`."""

    missing_ms: int
    if_cut_off_ms: int = 0


def missing(signs: LastSigns) -> Missing:
    """Returns how much a worker that is not heard any more may have taken with it.

    A connection that ends soon after a report, and is not followed by another, has most likely ended with its
    worker, or that died while it looked for the way back. But a worker that is cut off for longer, or stands
    still when it is, looks the same from here, and its users go on until its lease is over: so both figures
    are said. Without such an end, or with one that came after a silence, nothing says when it died.
    """
    whole_ms = _ceil_ms(signs.users_until_s - signs.complete_s)
    if signs.ended_s is None:
        return Missing(whole_ms)
    by_death_ms = min(whole_ms, _ceil_ms(signs.ended_s + RECONNECT_S - signs.complete_s))
    if signs.is_dead:
        return Missing(by_death_ms)
    if signs.ended_s - signs.heard_s > SILENT_INTERVALS * signs.report_interval_s:
        return Missing(whole_ms)
    return Missing(by_death_ms, whole_ms if whole_ms > by_death_ms else 0)


def _ceil_ms(seconds: float) -> int:
    return max(0, math.ceil(seconds * 1000))
