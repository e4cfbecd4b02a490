"""The line that blocks, found in what a C signal handler wrote."""

from __future__ import annotations

from locust_protocol.runner.v1 import link_pb2
from locust_worker.trace import ask, place_in, read_answer

STACK = """Stack (most recent call first):
  File "/usr/lib/python3.11/re/__init__.py", line 166 in match
  File "/code/locustfile.py", line 30 in backtrack
  File "/code/locustfile.py", line 44 in task
  File "/venv/locust_runtime/users.py", line 9 in run
"""


def test_place_is_the_innermost_line_of_the_locustfiles_folder() -> None:
    """That is the one that a person can do something about."""
    assert place_in(STACK, "/code/") == "locustfile.py:30"


def test_place_is_the_innermost_of_all_when_the_folder_is_not_passed() -> None:
    """A library's thread, or code from elsewhere."""
    assert place_in(STACK, "/other/") == "/usr/lib/python3.11/re/__init__.py:166"
    assert place_in("", "/code/") == ""


def test_runner_that_offers_no_traces_is_nowhere() -> None:
    """Another system, or a process that is gone."""
    ask(0, link_pb2.Loaded())
    assert read_answer(0, link_pb2.Loaded(), "/code") == ""
    assert read_answer(2**22 + 1, link_pb2.Loaded(trace_signal=23, trace_descriptor=5), "/code") == ""
