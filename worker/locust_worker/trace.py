"""Asks a silent runner's C signal handler where it is, and makes `file:line` of the answer.

The runner writes its stack to a descriptor that lives in memory; here it is read by way of /proc. A runner
that has said nothing of this, has ended, or may not be looked into, is at "".
"""

from __future__ import annotations

import os
import re
from contextlib import suppress

from locust_protocol.runner.v1 import link_pb2

MAX_TRACE_BYTES = 64 * 1024
"""Bytes of a stack that are looked at: the handler writes 100 frames at most."""

_FRAME = re.compile(r'^  File "(?P<file>.+)", line (?P<line>\d+) in ', re.MULTILINE)


def ask(pid: int, loaded: link_pb2.Loaded) -> None:
    """Makes the runner write its stack down; it takes no time worth mentioning."""
    if loaded.trace_signal:
        with suppress(OSError):
            os.kill(pid, loaded.trace_signal)


def read_answer(pid: int, loaded: link_pb2.Loaded, code_directory: str) -> str:
    """Returns where the runner was: in the locustfile's folder if its stack passes through it."""
    if not loaded.trace_signal:
        return ""
    try:
        descriptor = os.open(f"/proc/{pid}/fd/{loaded.trace_descriptor}", os.O_RDWR)
    except OSError:
        return ""
    try:
        text = os.read(descriptor, MAX_TRACE_BYTES).decode(errors="replace")
        os.ftruncate(descriptor, 0)
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    return place_in(text, os.path.join(os.path.realpath(code_directory), ""))


def place_in(text: str, code_directory: str) -> str:
    """Returns `file:line` of the innermost frame in the folder, or of the innermost of all, or "".

    A file in the folder is named as seen from there: where bundles are kept means nothing to anybody.
    """
    places = [(frame["file"], frame["line"]) for frame in _FRAME.finditer(text)]
    own = [place for place in places if place[0].startswith(code_directory)]
    chosen = own or places
    return f"{chosen[0][0].removeprefix(code_directory)}:{chosen[0][1]}" if chosen else ""
