"""A second master on a port says so before anything that takes time.

gRPC shares ports by default: two masters would each get half of the workers.
"""

from __future__ import annotations

import resource
import socket
from pathlib import Path

import pytest

from tests.support.cluster import BIN
from tests.support.processes import Command

pytestmark = pytest.mark.end_to_end

DEADLINE_S = 60.0
"""Far more than it takes on a busy machine; the bound that matters is in processor time."""

MOST_OF_VERSION = 2.0
"""Processor time, on which load has little say, beside that of `--version`, which does nothing at all."""

LOCUSTFILE = """
import pathlib
from locust import User
pathlib.Path("loaded").touch()
class Visitor(User):
    pass
"""


def test_port_in_use_is_told_before_the_locustfile_is_loaded(tmp_path: Path) -> None:
    """Locustfiles may take minutes to load, and what stands in the way is known from the start."""
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        begun_s = _cpu_s()
        with Command([BIN / "locust-master", "--version"], cwd=tmp_path) as master:
            assert master.wait_for_exit(deadline_s=DEADLINE_S) == 0
        before_s = _cpu_s()
        command = [BIN / "locust-master", "--bind-host", "127.0.0.1", "--bind-port", str(port)]
        with Command(command, cwd=tmp_path) as master:
            exit_code = master.wait_for_exit(deadline_s=DEADLINE_S)
            said = master.stderr()
    assert (exit_code, said.count("\n")) == (2, 1), said
    assert "--bind-port" in said
    assert f"cannot listen on 127.0.0.1:{port}: the port is in use by pid" in said
    assert not (tmp_path / "loaded").exists()
    assert _cpu_s() - before_s < MOST_OF_VERSION * (before_s - begun_s)


@pytest.mark.parametrize(("flag", "shown"), [("--list", "Visitor"), ("--help", "--bind-port")])
def test_port_in_use_stands_in_no_ones_way_who_only_asks(flag: str, shown: str, tmp_path: Path) -> None:
    """Help and the list of classes listen nowhere."""
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        command = [BIN / "locust-master", "--bind-host", "127.0.0.1", "--bind-port", str(port), flag]
        with Command(command, cwd=tmp_path) as master:
            assert master.wait_for_exit(deadline_s=DEADLINE_S) == 0
            assert shown in master.stdout()


def _cpu_s() -> float:
    """Processor time of all children that ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
