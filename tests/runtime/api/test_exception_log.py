"""Exceptions of user code in the log: each kind a few times a minute, and how often it came besides."""

from __future__ import annotations

import logging

import pytest

from locust_runtime.exception_log import (
    LAST_ONE,
    MAX_KINDS,
    MAX_PRINTED,
    MINUTE_S,
    ExceptionLog,
    Print,
    log_exception,
    tell_repeated,
)


def is_printed(log: ExceptionLog, error: Exception, *, now_s: float) -> bool:
    return log.take(error, now_s=now_s) is not Print.NO


def raised(text: str) -> Exception:
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


def raised_elsewhere(text: str) -> Exception:
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


def test_kind_is_printed_a_few_times_a_minute_and_then_counted() -> None:
    """Users that all fail alike say it once each second, each."""
    log = ExceptionLog()
    printed = [is_printed(log, raised("no stock"), now_s=second) for second in range(20)]
    assert sum(printed) == MAX_PRINTED == printed.index(False)
    assert list(log.take_over(now_s=MINUTE_S - 1)) == []
    said = list(log.take_over(now_s=MINUTE_S))
    assert said == [f"… repeated {20 - MAX_PRINTED} times: ValueError: no stock"]
    assert is_printed(log, raised("no stock"), now_s=MINUTE_S)


def test_other_text_or_other_place_is_another_kind() -> None:
    """The second mistake must not hide behind the first."""
    log = ExceptionLog()
    for _ in range(MAX_PRINTED):
        is_printed(log, raised("no stock"), now_s=0)
    assert not is_printed(log, raised("no stock"), now_s=0)
    assert is_printed(log, raised("no money"), now_s=0)
    assert is_printed(log, raised_elsewhere("no stock"), now_s=0)


def test_ids_in_a_text_make_no_kinds() -> None:
    """The table of exceptions has one row for them, too."""
    log = ExceptionLog()
    printed = [is_printed(log, raised(f"no stock at /shop/{number}"), now_s=0) for number in range(20)]
    assert sum(printed) == MAX_PRINTED


def test_kinds_beyond_the_limit_count_as_one() -> None:
    """A text that is never the same twice must flood nothing."""
    log = ExceptionLog()
    printed = [is_printed(log, raised(f"price {number}"), now_s=0) for number in range(5 * MAX_KINDS)]
    assert sum(printed) == MAX_KINDS + MAX_PRINTED
    (line,) = log.take_over(now_s=MINUTE_S)
    assert line == f"… repeated {4 * MAX_KINDS - MAX_PRINTED} times: other exceptions"


def test_log_has_some_tracebacks_and_at_the_end_of_the_run_the_number(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What is not printed is not hidden."""
    tell_repeated()
    caplog.clear()
    for _ in range(10):
        log_exception(logging.getLogger("shop"), raised("sold out"), "%s", "sold out")
    tell_repeated()
    assert caplog.text.count("Traceback") == MAX_PRINTED
    assert caplog.text.count(f"sold out{LAST_ONE}") == 1
    assert f"repeated {10 - MAX_PRINTED} times: ValueError: sold out" in caplog.text
    caplog.clear()
    tell_repeated()
    assert caplog.text == ""
