"""The exit code of a master: CI reads nothing else."""

from __future__ import annotations

from itertools import product

import pytest

from locust_master.verdict import exit_code
from locust_protocol.process.exit_codes import ExitCode


def _exit_code(
    *,
    failures: int = 0,
    exceptions: int = 0,
    on_error: int = 1,
    degraded: bool = False,
    output_failed: bool = False,
    set_by_locustfile: int | None = None,
) -> int:
    return exit_code(
        failures=failures,
        exceptions=exceptions,
        exit_code_on_error=on_error,
        degraded=degraded,
        output_failed=output_failed,
        process_exit_code=set_by_locustfile,
    )


@pytest.mark.parametrize(
    ("failures", "exceptions", "on_error", "degraded", "output_failed", "set_by_locustfile", "expected"),
    [
        # the run ended as asked
        (0, 0, 1, False, False, None, 0),
        (0, 0, 9, False, False, None, 0),
        # failed requests, raised tasks, both
        (1, 0, 1, False, False, None, 1),
        (0, 1, 1, False, False, None, 1),
        (7, 7, 1, False, False, None, 1),
        # --exit-code-on-error
        (1, 0, 0, False, False, None, 0),
        (0, 1, 9, False, False, None, 9),
        # what the locustfile set wins over failures, also where it is milder, also without any
        (1, 1, 1, False, False, 0, 0),
        (1, 1, 9, False, False, 42, 42),
        (0, 0, 1, False, False, 42, 42),
        # lost load
        (0, 0, 1, True, False, None, 3),
        (1, 1, 9, True, False, None, 3),
        (1, 1, 9, True, False, 0, 3),
        (0, 0, 1, True, False, 42, 3),
        # an output that could not be written
        (0, 0, 1, False, True, None, 5),
        (1, 1, 9, False, True, 0, 5),
        (0, 0, 1, True, True, None, 5),
        (1, 1, 9, True, True, 42, 5),
    ],
)
def test_exit_code_is_that_of_the_table(
    failures: int,
    exceptions: int,
    on_error: int,
    degraded: bool,
    output_failed: bool,
    set_by_locustfile: int | None,
    expected: int,
) -> None:
    """5 over 3 over what the locustfile set over failures."""
    assert expected == _exit_code(
        failures=failures,
        exceptions=exceptions,
        on_error=on_error,
        degraded=degraded,
        output_failed=output_failed,
        set_by_locustfile=set_by_locustfile,
    )


def test_output_comes_before_lost_load_whatever_else_is_true() -> None:
    """All combinations, since the order is what scripts rely on."""
    for failures, exceptions, on_error, degraded, set_by_locustfile in product(
        (0, 1), (0, 1), (0, 1, 9), (False, True), (None, 0, 42)
    ):
        for output_failed in (False, True):
            code = _exit_code(
                failures=failures,
                exceptions=exceptions,
                on_error=on_error,
                degraded=degraded,
                output_failed=output_failed,
                set_by_locustfile=set_by_locustfile,
            )
            if output_failed:
                assert code == ExitCode.OUTPUT
            elif degraded:
                assert code == ExitCode.DEGRADED
            else:
                assert code not in {ExitCode.OUTPUT, ExitCode.DEGRADED}


def test_exit_code_is_a_plain_number() -> None:
    """It goes to `sys.exit`, and into a log line."""
    assert type(_exit_code()) is int
    assert type(_exit_code(degraded=True)) is int
    assert type(_exit_code(output_failed=True)) is int
