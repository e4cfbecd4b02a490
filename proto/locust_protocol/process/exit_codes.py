"""The exit codes of the three commands, and which one wins when several apply.

Scripts and CI read these numbers: a code never changes its meaning.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """What the exit code of a command says."""

    OK = 0
    """The run ended as asked; a first Ctrl-C is such an end."""

    FAILURES = 1
    """Requests failed or tasks raised; `--exit-code-on-error` replaces this number."""

    USAGE = 2
    """Something the caller has to put right: a flag, a value, the locustfile, a class, a port in use."""

    DEGRADED = 3
    """Workers never came or were lost beyond what was allowed, or the master was lost for good."""

    THRESHOLD = 4
    """A threshold that was asked for was crossed."""

    OUTPUT = 5
    """The run ended, but an output that was asked for could not be written."""

    INTERRUPTED_TWICE = 130
    """A second Ctrl-C ended the command at once."""


_WORST_FIRST = (
    ExitCode.INTERRUPTED_TWICE,
    ExitCode.USAGE,
    ExitCode.OUTPUT,
    ExitCode.DEGRADED,
    ExitCode.THRESHOLD,
    ExitCode.FAILURES,
    ExitCode.OK,
)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the code to exit with when all of these apply: 130, then 2, 5, 3, 4, 1; OK for none."""
    present = set(codes)
    return next((code for code in _WORST_FIRST if code in present), ExitCode.OK)
