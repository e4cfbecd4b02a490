"""Which exit code a run comes to. Pure; the numbers and their order are those of `ExitCode`."""

from __future__ import annotations

from locust_protocol.process.exit_codes import ExitCode, worst


def exit_code(
    *,
    failures: int,
    exceptions: int,
    exit_code_on_error: int,
    degraded: bool,
    output_failed: bool,
    process_exit_code: int | None,
) -> int:
    """Returns the exit code.

    `exit_code_on_error` replaces 1 for failed requests and exceptions; `process_exit_code`, set by the
    locustfile, wins over that, 0 included, as its author means it to. What is worse wins over both.
    """
    codes = [ExitCode.OK]
    if output_failed:
        codes.append(ExitCode.OUTPUT)
    if degraded:
        codes.append(ExitCode.DEGRADED)
    gravest = worst(codes)
    if gravest is not ExitCode.OK:
        return gravest.value
    if process_exit_code is not None:
        return process_exit_code
    return exit_code_on_error if failures or exceptions else ExitCode.OK.value
