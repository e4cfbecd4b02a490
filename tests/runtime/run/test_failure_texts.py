"""What failures are called and whose fault they are, and log records on their way."""

from __future__ import annotations

import errno
import logging
import socket
from time import process_time

import pytest
import requests
from urllib3.exceptions import MaxRetryError, NameResolutionError

from locust_protocol.limits import MAX_ERROR_TEXT_CHARS, MAX_LOG_LINES_PER_REPORT, MAX_TRACEBACK_CHARS
from locust_protocol.v1.report_pb2 import ErrorOrigin
from locust_runtime.run.failure_texts import error_origin, error_text, exception_text, traceback_text
from locust_runtime.run.log_buffer import MAX_WAITING_RECORDS, LogBuffer

GENERATOR = ErrorOrigin.ERROR_ORIGIN_GENERATOR
TARGET = ErrorOrigin.ERROR_ORIGIN_TARGET


def wrapped_by_requests() -> Exception:
    """A failed name look-up as HttpUser's client raises it."""
    unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    resolution = NameResolutionError("nowhere", None, unknown)  # type: ignore[arg-type]
    resolution.__cause__ = unknown
    return requests.ConnectionError(MaxRetryError(None, "/", resolution))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "origin"),
    [
        (OSError(errno.EADDRNOTAVAIL, "no port"), GENERATOR),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), GENERATOR),
        (wrapped_by_requests(), GENERATOR),
        (ConnectionResetError(errno.ECONNRESET, "reset"), TARGET),
        (TimeoutError("slow"), TARGET),
        (AssertionError("wrong body"), TARGET),
        ("text of the locustfile", TARGET),
    ],
)
def test_error_origin_is_found_through_what_clients_wrap_around_it(
    error: BaseException | str, origin: ErrorOrigin.ValueType
) -> None:
    """Failures of the generator invalidate a run; others are its result."""
    assert error_origin(error) == origin


def test_error_origin_ends_when_causes_go_in_a_circle() -> None:
    """Exceptions are user data too."""
    error = ValueError("round")
    error.__cause__ = error
    assert error_origin(error) == TARGET


class Unprintable(Exception):
    def __repr__(self) -> str:
        raise RuntimeError

    __str__ = __repr__


def test_texts_stay_within_their_limits_and_always_exist() -> None:
    """Each is a key that is kept for the run."""
    assert len(error_text("x" * 5000)) == MAX_ERROR_TEXT_CHARS
    assert error_text(Unprintable()).startswith("Unprintable")
    assert exception_text(ValueError()) == "ValueError"
    assert exception_text(Unprintable()) == "Unprintable"
    long = "first\n" + "x" * 20_000 + "\nlast"
    assert len(traceback_text(long)) <= MAX_TRACEBACK_CHARS
    assert traceback_text(long).startswith("first")
    assert traceback_text(long).endswith("last")


def test_log_buffer_says_how_many_records_it_dropped() -> None:
    """A log storm must not stop reports, nor be hidden."""
    buffer = LogBuffer(source="runner 2")
    logger = logging.Logger("shop")
    logger.addHandler(buffer)
    for number in range(MAX_WAITING_RECORDS + 30):
        logger.warning("line %d", number)
    taken = buffer.take()
    assert len(taken) == MAX_LOG_LINES_PER_REPORT
    assert taken[0].text == "line 30"
    assert (taken[0].source, taken[0].logger) == ("runner 2", "shop")
    assert taken[-1].text.endswith("count=30")


def test_log_buffer_takes_records_whose_arguments_do_not_fit() -> None:
    """User code's mistake; the text still tells something."""
    buffer = LogBuffer(source="runner 2")
    logger = logging.Logger("shop")
    logger.addHandler(buffer)
    logger.info("one %s, two %s", 1)
    assert buffer.take()[0].text == "one %s, two %s"


@pytest.mark.parametrize(
    ("text", "grouped"),
    [
        ("order 3f2504e0-4f89-11d3-9a0c-0305e82c3301 is gone", "order <uuid> is gone"),
        ("order 12345678 is gone", "order <number> is gone"),
        ("etag d41d8cd98f00b204e9800998ecf8427e", "etag <hex>"),
        ("404 Client Error", "404 Client Error"),
        ("('127.0.0.1', 54321)", "('127.0.0.1', 54321)"),
        ("defaced facade", "defaced facade"),
        ("<A object at 0x7f00deadbeef>", "<A object at 0x....>"),
        ("404 for /item/123", "404 for /item/<number>"),
        ("500 for /item/123", "500 for /item/<number>"),
        (
            "404: http://127.0.0.1:8000/a/1/2?id=7&x=y",
            "404: http://127.0.0.1:8000/a/<number>/<number>?id=<number>&x=y",
        ),
        ("url: /item/12.json (port=80)", "url: /item/<number>.json (port=80)"),
        ("HTTP/2 503, HTTP/1.1 500", "HTTP/2 503, HTTP/1.1 500"),
        ("3/4 of 24/11/2026, v2/1.5", "3/4 of 24/11/2026, v2/1.5"),
        ("/v1/b12/7-up?code=a1", "/v1/b12/7-up?code=a1"),
    ],
)
def test_text_without_what_differs_from_record_to_record(text: str, grouped: str) -> None:
    """Unique texts would fill the table of failures with one each."""
    assert error_text(text) == grouped


def test_traceback_keeps_the_numbers_in_the_paths_of_files() -> None:
    """It is there to be opened."""
    text = '  File "/home/me/2024/7/shop.py", line 7, in buy\n'
    assert traceback_text(text) == text


def test_long_text_without_a_url_is_searched_once() -> None:
    """A failure must not cost its runner more than the request did."""
    began_s = process_time()
    for _ in range(10):
        error_text("a" * 4 * MAX_ERROR_TEXT_CHARS + " /7")
    assert process_time() - began_s < 1.0
