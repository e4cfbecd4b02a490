"""The import contracts of `.importlinter` hold, bite, and name every module that they are meant for."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source_tree import CHECKOUT, SOURCE_ROOTS, module_exists

CONFIGURATION = CHECKOUT / ".importlinter"

PURE_MODULES = (
    "locust_protocol.framing",
    "locust_protocol.histogram",
    "locust_protocol.histogram_codec",
    "locust_protocol.histogram_messages",
    "locust_protocol.limits",
    "locust_protocol.schedule",
    "locust_protocol.schedule_messages",
    "locust_protocol.versions",
    "locust_master.ledger",
    "locust_master.handover",
    "locust_master.lifecycle",
    "locust_master.losses",
    "locust_master.membership",
    "locust_master.merging",
    "locust_master.planning",
    "locust_master.snapshot",
    "locust_worker.combine",
    "locust_worker.outbox",
    "locust_worker.runner_state",
    "locust_worker.session",
    "locust_worker.split",
    "locust_worker.hands",
    "locust_worker.comeback",
    "locust_worker.open_files",
    "locust_worker.standstill",
    "locust_tui.formats",
    "locust_tui.view",
    "locust_master.arrival",
    "locust_master.assignments",
    "locust_master.run_options",
    "locust_master.sharing",
    "locust_master.start_checks",
    "locust_master.oversubscription",
    "locust_worker.clock",
    "locust_worker.slices",
    "locust_worker.shares",
    "locust_worker.duty",
    "locust_tui.model",
    "locust_runtime.http.heads",
    "locust_runtime.http.bodies",
    "locust_runtime.http.redirects",
    "locust_runtime.run.slices",
    "locust_runtime.run.dictionary",
    "locust_runtime.run.report_window",
)
"""Modules that decide and never do: functions of data. Those that exist must be under contract."""

GRPC_FREE_MODULES = (
    "locust_protocol.framing",
    "locust_protocol.histogram",
    "locust_protocol.histogram_codec",
    "locust_protocol.histogram_messages",
    "locust_protocol.limits",
    "locust_protocol.process",
    "locust_protocol.schedule",
    "locust_protocol.schedule_messages",
    "locust_protocol.versions",
)
"""What runners share with the other processes."""

GRPC_MODULES = (
    "locust_protocol.channels",
    "locust_protocol.credentials",
    "locust_protocol.status",
    "locust_protocol.v1.control_service_pb2_grpc",
    "locust_protocol.v1.master_service_pb2_grpc",
)
"""The only modules of the protocol that may import grpc: closed to runners."""


def contract_modules(contract: str, field: str) -> set[str]:
    parser = configparser.ConfigParser()
    parser.read(CONFIGURATION)
    return set(parser[f"importlinter:contract:{contract}"][field].split())


def lint(cwd: Path, *, source_roots: list[Path] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the linter on the packages of `source_roots`, by default those that are installed."""
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    if source_roots is not None:
        environment["PYTHONPATH"] = os.pathsep.join(map(str, source_roots))
    program = Path(sys.executable).with_name("lint-imports")
    argv = [str(program), "--config", str(CONFIGURATION), "--no-cache", "--no-logo"]
    return subprocess.run(
        argv, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=100
    )


@pytest.fixture(scope="module")
def copied_roots(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A copy of the source roots to plant forbidden imports in."""
    folder = tmp_path_factory.mktemp("checkout")
    for root in SOURCE_ROOTS:
        shutil.copytree(root, folder / root.name, ignore=shutil.ignore_patterns("__pycache__"))
    return [folder / root.name for root in SOURCE_ROOTS]


def test_contracts_hold() -> None:
    """The laws of the layout."""
    result = lint(CHECKOUT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("package", "forbidden", "contract"),
    [
        ("master/locust_master", "locust_worker", "never import one another"),
        ("worker/locust_worker", "locust_runtime", "never import one another"),
        ("proto/locust_protocol", "locust_tui", "imports none of those that speak it"),
        ("worker/locust_runtime", "grpc", "A runner never imports grpc"),
        (
            "worker/locust_runtime",
            "locust_protocol.v1.master_service_pb2_grpc",
            "A runner never imports grpc",
        ),
        ("worker/locust_worker", "gevent", "gevent is for runners only"),
        ("proto/locust_protocol/process", "grpc", "free of grpc"),
        ("master/locust_master/planning", "time", "Pure modules"),
        ("master/locust_master/planning", "asyncio.subprocess", "Pure modules"),
    ],
)
def test_contracts_break_when_a_forbidden_import_is_planted(
    copied_roots: list[Path], package: str, forbidden: str, contract: str
) -> None:
    """A contract that nothing can break proves nothing."""
    planted = copied_roots[0].parent / package / "planted.py"
    planted.write_text(f"import {forbidden}\n")
    try:
        result = lint(copied_roots[0].parent, source_roots=copied_roots)
    finally:
        planted.unlink()
    assert result.returncode == 1, result.stdout + result.stderr
    broken = [line for line in result.stdout.splitlines() if line.endswith("BROKEN")]
    assert any(contract in line for line in broken), result.stdout


@pytest.mark.parametrize(
    ("contract", "field", "meant"),
    [
        ("pure-modules", "source_modules", PURE_MODULES),
        ("no-grpc-in-shared-code", "source_modules", GRPC_FREE_MODULES),
        ("no-grpc-in-runners", "forbidden_modules", GRPC_MODULES),
    ],
)
def test_contract_names_every_module_it_is_meant_for(
    contract: str, field: str, meant: tuple[str, ...]
) -> None:
    """The linter refuses names of modules that do not exist, so each joins when it is written."""
    missing = {name for name in meant if module_exists(name)} - contract_modules(contract, field)
    assert missing == set(), f"add to [importlinter:contract:{contract}] in {CONFIGURATION.name}"
