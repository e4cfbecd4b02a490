"""A headless command that is started again after its run was to end reports it, and starts no other."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from tests.support.cluster import BIN, START_DEADLINE_S
from tests.support.ports import free_port
from tests.support.processes import Command
from tests.support.target import Target
from tests.support.wait import wait_until

pytestmark = pytest.mark.end_to_end

SHOPPER = """
from locust import HttpUser, constant, task
class Shopper(HttpUser):
    wait_time = constant(0.05)
    @task
    def index(self):
        self.client.get("/")
"""

NO_LOGIN = """
from locust import User, task
class Shopper(User):
    def on_start(self):
        raise ValueError(f"no login at /shop/{id(self) % 1000}")
    @task
    def index(self):
        pass
"""

RUN_TIME_S = 6
EXIT_DEADLINE_S = 60.0


def command(folder: Path, locustfile: str, *options: str) -> Command:
    """A headless master with a worker of its own; its output goes where no bundle looks."""
    code = folder / "code"
    code.mkdir(exist_ok=True)
    (code / "locustfile.py").write_text(locustfile)
    argv = [
        *(str(BIN / "locust-master"), "-f", str(code / "locustfile.py"), "--headless", "--processes", "1"),
        *("--bind-host", "127.0.0.1", "--bind-port", str(free_port()), "--run-dir", str(folder / "runs")),
        *options,
    ]
    return Command(argv, cwd=folder, environment={"LOCUST_CACHE_DIR": str(folder / "cache")})


def test_run_whose_time_ended_while_its_master_was_away_is_reported_and_not_begun_anew(
    tmp_path: Path,
) -> None:
    """Whoever restarts what fails must not fire at the target a second time, and wants the figures."""
    with Target() as target:
        options = ("-H", target.url, "-u", "3", "-r", "10", "-t", f"{RUN_TIME_S}s", "--json")
        with command(tmp_path, SHOPPER, *options) as first:
            first.wait_for_line("all users spawned", deadline_s=START_DEADLINE_S)
            started_s = time.monotonic()
            wait_until(lambda: target.total() > 60, deadline_s=20, describe="load")
            first.send_signal(signal.SIGKILL)
            first.wait_for_exit(deadline_s=EXIT_DEADLINE_S)
        over_s = started_s + RUN_TIME_S + 1
        wait_until(lambda: time.monotonic() > over_s, deadline_s=20, describe="the end of the run time")
        sent = target.total()
        reports = []
        for said in ("closed as INTERRUPTED", "reported again"):
            with command(tmp_path, SHOPPER, *options) as again:
                assert again.wait_for_exit(deadline_s=EXIT_DEADLINE_S) == 3, again.describe()
                assert f"cut off, and is {said}: its run time was over" in again.stderr()
                assert "--resume-within 0" in again.stderr()
                assert "Degraded: the master was away from" in again.stderr()
                assert "Response time percentiles" in again.stderr()
                reports.append(json.loads(again.stdout()))
        assert reports[0] == reports[1]
        assert 0 < reports[0][0]["num_requests"] <= sent
        assert target.total() == sent


def test_users_that_all_fail_in_on_start_are_told_in_one_line_and_a_few_tracebacks(tmp_path: Path) -> None:
    """Twenty times the same traceback hides the one line that matters."""
    with command(tmp_path, NO_LOGIN, "-u", "20", "-r", "100", "-t", "4s") as master:
        assert master.wait_for_exit(deadline_s=EXIT_DEADLINE_S) == 1, master.describe()
        log = master.output()
    assert log.count("Traceback") == 2, log
    assert "repeated 18 times: ValueError: no login at /shop/<number>" in log
    assert "ended in on_start, the last with 'no login at /shop/<number>' (locustfile.py:5)" in log
    assert log.count("no user is left") == 1
