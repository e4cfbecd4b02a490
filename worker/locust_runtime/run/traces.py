"""Where this process is, for an agent that gets no answer: even while C code holds the interpreter.

The watchdog's thread answers pings while Python code blocks the hub. While C code holds the interpreter (a
regular expression that backtracks) no thread can; a signal handler in C can still write down the stack of the
main thread. The agent sends the signal and reads what it wrote. The signal is one that processes ignore
unless they ask for it, so it can harm nobody.
"""

from __future__ import annotations

import faulthandler
import fcntl
import os
import signal
import sys

from locust_protocol.runner.v1.link_pb2 import Loaded


def offer_traces(loaded: Loaded) -> None:
    """Get ready, and say in the answer to Load how to ask. Says nothing where there is no such way."""
    if not sys.platform.startswith("linux") or not hasattr(os, "memfd_create"):
        return
    descriptor = os.memfd_create("blocked-at")
    fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_APPEND)  # who reads it empties it
    faulthandler.register(signal.SIGURG, file=descriptor, all_threads=False, chain=False)
    loaded.trace_descriptor, loaded.trace_signal = descriptor, signal.SIGURG
