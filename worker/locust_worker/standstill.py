"""Whether this process stood still between two looks at its clocks, and for how long.

A machine that is suspended stops its monotonic clock, and only the clock that counts suspensions tells; a
process that is stopped, or whose virtual machine is paused, finds that time has passed and that it has used
no CPU meanwhile. A process that is merely slow has used it. Who stood still must judge its lease before it
does anything else: its share may be another worker's by now.

Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

STILL_S = 2.0
"""Seconds without CPU that are no scheduling delay of a busy machine."""

UNSEEN_S = 0.5
"""Seconds by which the two clocks differ after a suspension at least; they are read one after the other."""

LATE_S = 1.0
"""Seconds for which the agent's loop may be busy with one thing before its operator is told."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The clocks of this process at one look, in seconds."""

    monotonic_s: float
    boot_s: float
    """As `monotonic_s`, suspensions of the machine counted."""
    cpu_s: float
    """CPU that this process has used."""


@dataclass(frozen=True, slots=True)
class Gap:
    """What happened between two looks."""

    still_s: float = 0.0
    """For how long the process stood still, suspensions included; 0 when it did not."""
    unseen_s: float = 0.0
    """How much of that the monotonic clock has not counted."""
    late_s: float = 0.0
    """For how long the process was busy with one thing; 0 when it was not."""


def gap(before: Moment, now: Moment) -> Gap:
    """Returns what happened between two looks that are meant to be a moment apart."""
    passed_s = now.monotonic_s - before.monotonic_s
    unseen_s = (now.boot_s - before.boot_s) - passed_s
    unseen_s = unseen_s if unseen_s >= UNSEEN_S else 0.0
    idle_s = passed_s - (now.cpu_s - before.cpu_s)
    if idle_s >= STILL_S or unseen_s:
        return Gap(still_s=unseen_s + max(0.0, idle_s), unseen_s=unseen_s)
    return Gap(late_s=passed_s if passed_s >= LATE_S else 0.0)
