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

    `until_ms` is the moment at which it was over: the worker was back, with all its samples.
    """

    worker: str
    at_ms: int
    missing_ms: int
    kind: LossKind = LossKind.WORKER
    until_ms: int | None = None

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


def missing_ms(*, reported_s: float, ended_s: float | None, now_s: float, died_within_s: float) -> int:
    """Milliseconds of samples that a worker may have taken with it, all times on one clock in seconds.

    `reported_s` is until when it reported, `ended_s` when its connection ended. A connection that ends soon
    after a report, and is not followed by another, ended with its process or shortly before that. Silence
    before the end means that the worker may have gone on until its lease was over.
    """
    is_dead = ended_s is not None and ended_s - reported_s <= died_within_s
    end_s = min(now_s, ended_s + RECONNECT_S) if is_dead and ended_s is not None else now_s
    return max(0, math.ceil((end_s - reported_s) * 1000))
