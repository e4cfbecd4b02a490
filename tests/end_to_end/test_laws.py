"""Law 1 on live processes: what a process has loaded stands in its memory map."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from tests.support.cluster import Cluster
from tests.support.processes import children_of
from tests.support.target import Target

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

LOCUSTFILE = Path(__file__).parent / "locustfiles" / "three_classes.py"


def loads(pid: int, package: str) -> bool:
    """True when a compiled module of `package` is mapped into the process."""
    return f"/site-packages/{package}/" in Path(f"/proc/{pid}/maps").read_text()


def test_grpc_and_gevent_never_meet_in_one_process(tmp_path: Path) -> None:
    """Runners and script host have gevent and no grpc, agents and master grpc and no gevent."""
    with (
        Target() as target,
        Cluster(tmp_path, LOCUSTFILE, workers=1, runners=2, host=target.url) as cluster,
    ):
        cluster.client.start(users=6, spawn_rate=60)
        cluster.client.wait_users(6)
        control = [cluster.master.pid, cluster.workers[0].pid]
        user_code = [pid for parent in control for pid in children_of(parent)]
        assert len(user_code) == 3, [psutil.Process(pid).cmdline() for pid in user_code]
        assert [(loads(pid, "grpc"), loads(pid, "gevent")) for pid in control] == [(True, False)] * 2
        assert [(loads(pid, "grpc"), loads(pid, "gevent")) for pid in user_code] == [(False, True)] * 3
