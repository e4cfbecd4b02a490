"""The exit code of a master, from what its run came to. Pure."""

from __future__ import annotations

from locust_protocol.process.exit_codes import ExitCode


def exit_code(
    *,
    failures: int,
    exceptions: int,
    exit_code_on_error: int,
    degraded: bool,
    output_failed: bool,
    process_exit_code: int | None,
) -> int:
    """Returns the exit code of a run that ended.

    A result that could not be written comes before lost load, and both before what the locustfile set
    (`process_exit_code`, None when it set nothing); failed requests and raised tasks come last.
    """
    if output_failed:
        return int(ExitCode.OUTPUT)
    if degraded:
        return int(ExitCode.DEGRADED)
    if process_exit_code is not None:
        return process_exit_code
    return exit_code_on_error if failures or exceptions else int(ExitCode.OK)
