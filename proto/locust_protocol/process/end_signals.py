"""Which signals ask a command for an orderly end."""

from __future__ import annotations

import signal


def end_signals() -> tuple[signal.Signals, ...]:
    """Returns Ctrl-C, SIGTERM, and the end of the terminal, unless that is ignored as under `nohup`."""
    asked = (signal.SIGINT, signal.SIGTERM)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return asked
    return (*asked, signal.SIGHUP)
