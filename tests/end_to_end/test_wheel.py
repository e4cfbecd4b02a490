"""The wheel alone, in an empty virtualenv, gives the three commands."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.processes import Command
from tests.support.target import Target

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
BUILD_DEADLINE_S = 120
END_DEADLINE_S = 60.0

LOCUSTFILE = """
from locust import FastHttpUser, constant, task
class Visitor(FastHttpUser):
    wait_time = constant(0.05)
    @task
    def visit(self):
        self.client.get("/products")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds the wheel as a release would."""
    folder = tmp_path_factory.mktemp("wheel")
    argv = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(argv, check=True, capture_output=True, timeout=BUILD_DEADLINE_S)
    return next(folder.glob("*.whl"))


def test_wheel_has_generated_code_and_no_package_named_locust(wheel: Path) -> None:
    """Code that git ignores is silently absent; a package `locust` would corrupt real Locust."""
    names = zipfile.ZipFile(wheel).namelist()
    assert "locust_protocol/v1/report_pb2.py" in names
    assert "locust_runtime/py.typed" in names
    assert not [name for name in names if name.startswith(("locust/", "tests/"))]


def test_wheel_runs_in_a_virtualenv_of_its_own(wheel: Path, tmp_path: Path) -> None:
    """The wheel without the checkout beside it; third-party packages come from this environment."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = venv / "lib" / version / "site-packages"
    install = [sys.executable, "-m", "pip", "--python", str(venv / "bin" / "python"), "install", "--no-deps"]
    subprocess.run([*install, "--no-index", str(wheel)], check=True, capture_output=True)
    (packages / "third_party.pth").write_text(str(Path(pytest.__file__).parents[1]) + "\n")
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)
    for command in ("locust-master", "locust-worker", "locust-tui"):
        subprocess.run([venv / "bin" / command, "--version"], check=True, cwd=tmp_path, capture_output=True)
    argv = [
        *(str(venv / "bin" / "locust-master"), "--headless", "--processes", "1", "-u", "2", "-r", "10"),
        *("-t", "3s", "--bind-host", "127.0.0.1", "--bind-port", str(free_port())),
    ]
    with Target() as target:
        environment = {"LOCUST_CACHE_DIR": str(tmp_path / "cache")}
        with Command([*argv, "-H", target.url], cwd=tmp_path, environment=environment) as master:
            assert master.wait_for_exit(deadline_s=END_DEADLINE_S) == 0, master.output()
        assert target.total() > 2
