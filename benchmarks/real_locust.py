"""Real Locust in a virtualenv of its own: found by LOCUST_VENV, or made beside this file on demand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

VERSION = "2.47.0"
"""The version that the bars were measured against."""

MADE_HERE = Path(__file__).parent / ".locust-venv"

INSTALL_TIMEOUT_S = 600
"""Downloading and unpacking some thirty wheels over a slow line."""


class LocustUnavailable(Exception):
    """There is no real Locust to compare with; the message says why."""


def locust_program(environment: Mapping[str, str] = os.environ) -> Path:
    """Path of the `locust` command, installed first if need be; raises LocustUnavailable."""
    given = environment.get("LOCUST_VENV")
    program = Path(given or MADE_HERE) / "bin" / "locust"
    if program.is_file():
        return program
    if given:
        raise LocustUnavailable(f"LOCUST_VENV={given} has no bin/locust")
    _run([sys.executable, "-m", "venv", str(MADE_HERE)])
    _run([str(MADE_HERE / "bin" / "python"), "-m", "pip", "install", "--quiet", f"locust=={VERSION}"])
    return program


def _run(argv: list[str]) -> None:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LocustUnavailable(f"real Locust {VERSION} could not be installed: {error}") from error
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        raise LocustUnavailable(f"real Locust {VERSION} could not be installed: {lines[-1]}")
