"""The one base for everything that a person can put right, with subclasses by what that person can do.

An error of this kind never shows a traceback: the message names the thing and the value, the remedy the
next step, and `str()` joins the two to one line. What is nobody's doing but ours stays an ordinary
exception and keeps its traceback.
"""

from __future__ import annotations

from typing import ClassVar

from locust_protocol.process.exit_codes import ExitCode


class OperatorError(Exception):
    """Something that a person can put right; `exit_code` is what a command ends with because of it."""

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        text = f"{self.message}; {self.remedy}" if self.remedy else self.message
        return " ".join(text.split())


class UsageError(OperatorError):
    """What the caller asked for cannot be done: change a flag, a value or the locustfile."""

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE


class DegradedError(OperatorError):
    """The run could not have, or lost, what it needs from other machines: see to them, start again."""

    exit_code: ClassVar[ExitCode] = ExitCode.DEGRADED


class OutputError(OperatorError):
    """A result could not be written: make room or change the path; the run itself is in the run store."""

    exit_code: ClassVar[ExitCode] = ExitCode.OUTPUT


def first_error(group: BaseExceptionGroup[OperatorError]) -> OperatorError:
    """Return the first error of a group: a task group wraps even a single one."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, OperatorError), "the group was split by this type"
    return error
