"""Users over time without code: the real commands follow stages and end after the last."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cluster import BIN
from tests.support.ports import free_port
from tests.support.processes import Command
from tests.support.target import Target

pytestmark = pytest.mark.end_to_end

LOCUSTFILE = Path(__file__).parent / "locustfiles" / "three_classes.py"
END_DEADLINE_S = 60.0


def test_stages_are_followed_and_the_run_ends_after_the_last(tmp_path: Path) -> None:
    """Up to six users in one second, held for three, down to none in one: five seconds in all."""
    with (
        Target() as target,
        Command(
            [
                *(str(BIN / "locust-master"), "-f", str(LOCUSTFILE), "--headless", "-H", target.url),
                *("--bind-host", "127.0.0.1", "--bind-port", str(free_port())),
                *("--run-dir", str(tmp_path / "runs"), "--processes", "2", "--json"),
                *("--stages", "1s:6,3s:6,1s:0", "-u", "50"),
            ],
            cwd=tmp_path,
            environment={"LOCUST_CACHE_DIR": str(tmp_path / "cache")},
        ) as master,
    ):
        assert master.wait_for_exit(deadline_s=END_DEADLINE_S) == 0, master.output()
        said = master.stderr()
        assert "run started" in said
        assert "6 users at 6/s" in said
        assert "all users spawned users=6" in said
        assert "run stopping actor=end of the stages" in said
        assert "so --users change nothing" in said
        reported = {
            f"{each['method']} {each['name']}": each["num_requests"] for each in json.loads(master.stdout())
        }
        assert reported == target.counts()
        assert len(target.arrivals()) <= 9, "a machine may stand still, and a stage may not be forgotten"
