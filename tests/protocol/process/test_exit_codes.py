"""The exit codes that scripts rely on, and which one wins."""

from __future__ import annotations

import itertools

import pytest

from locust_protocol.process.errors import DegradedError, OperatorError, OutputError, UsageError
from locust_protocol.process.exit_codes import ExitCode, worst

WORST_FIRST = [130, 2, 5, 3, 4, 1, 0]


def test_exit_codes_are_the_documented_numbers() -> None:
    """A script compares numbers; they never change."""
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "FAILURES": 1,
        "USAGE": 2,
        "DEGRADED": 3,
        "THRESHOLD": 4,
        "OUTPUT": 5,
        "INTERRUPTED_TWICE": 130,
    }


@pytest.mark.parametrize(("stronger", "weaker"), list(itertools.combinations(WORST_FIRST, 2)))
def test_worst_is_the_stronger_of_two_in_either_order(stronger: int, weaker: int) -> None:
    """2 over 5 over 3 over 4 over 1, whatever was noticed first."""
    assert worst([ExitCode(stronger), ExitCode(weaker)]) == stronger
    assert worst([ExitCode(weaker), ExitCode(stronger)]) == stronger


def test_worst_of_nothing_is_ok() -> None:
    """A run without trouble ends with 0."""
    assert worst([]) is ExitCode.OK


@pytest.mark.parametrize(
    ("kind", "code"), [(OperatorError, 2), (UsageError, 2), (DegradedError, 3), (OutputError, 5)]
)
def test_error_kinds_carry_the_code_of_what_the_caller_can_do(kind: type[OperatorError], code: int) -> None:
    """The kind of an error alone decides how a command ends."""
    assert kind("x").exit_code == code


def test_error_text_is_one_line_of_message_and_remedy() -> None:
    """What reaches stderr is one line, whatever the message was made of."""
    error = UsageError("cannot read\n  a.py", remedy="give another with -f")

    assert str(error) == "cannot read a.py; give another with -f"
    assert str(UsageError("no remedy")) == "no remedy"
