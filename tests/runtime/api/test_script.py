"""Scripts that run without the commands: one user in a debugger, and a test as a library."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SINGLE = """
from locust import HttpUser, User, events, run_single_user, task
from locust.exception import StopUser

@events.init_command_line_parser.add_listener
def add(parser):
    parser.add_argument("--colour", default="red")

@events.test_start.add_listener
def started(environment, **_):
    print("started", environment.locustfile, environment.parsed_options.colour, environment.host)

class Shopper(User):
    def context(self):
        return {"id": 1}

    @task
    def look(self):
        fire = self.environment.events.request.fire
        fire(request_type="GET", name="/ok", response_time=12.4, response_length=7, exception=None,
             context=self.context())
        fire(request_type="GET", name="/bad", response_time=None, response_length=0,
             exception=ValueError("no\\nway"), context={})
        raise StopUser

if __name__ == "__main__":
    run_single_user(Shopper, include_length=True, include_context=True)
    run_single_user(Shopper)
"""

LIBRARY = """
import socket
import gevent
from gevent import monkey
from locust import User, constant, task
from locust.env import Environment
from locust.stats import stats_history, stats_printer

assert monkey.is_module_patched("socket")

class Shopper(User):
    wait_time = constant(0.01)

    @task
    def look(self):
        with self.environment.events.request.measure("SLEEP", "short"):
            gevent.sleep(0.001)

env = Environment(user_classes=[Shopper])
runner = env.create_local_runner()
gevent.spawn(stats_printer(env.stats))
gevent.spawn(stats_history, runner)
runner.start(10, spawn_rate=1000)

def quit_when_enough():
    while env.stats.num_requests < 30:
        gevent.sleep(0.005)
    runner.quit()

gevent.spawn(quit_when_enough)
runner.greenlet.join()
print("requests", env.stats.num_requests >= 30, env.stats.entries["short", "SLEEP"].num_failures)
"""


def run_script(folder: Path, code: str, *arguments: str) -> list[str]:
    """The lines that a script prints."""
    script = folder / "locustfile.py"
    script.write_text(code)
    argv = [sys.executable, "-m", "locust_runtime.script", str(script), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    result = subprocess.run(
        argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def test_single_user_prints_its_requests_in_columns(tmp_path: Path) -> None:
    """Type, name, time, length, exception on one line, context; test_start fires each time."""
    lines = run_script(tmp_path, SINGLE, "--host", "http://a", "--colour", "blue")
    started = "started locustfile.py blue http://a"
    assert [line for line in lines if line.startswith("started")] == [started, started]
    rows = [[column.strip() for column in line.split("\t")] for line in lines if "\t" in line]
    assert rows[0] == ["type", "name", "resp_ms", "length", "exception", "context"]
    assert rows[1] == ["GET", "/ok", "12", "7", "", "{'id': 1}"]
    assert rows[2][:5] == ["GET", "/bad", "-1", "0", "ValueError('no\\nway')"]
    assert len(rows) == 5


def test_test_as_a_library_runs_and_ends(tmp_path: Path) -> None:
    """With everything patched before the script's own imports."""
    assert run_script(tmp_path, LIBRARY) == ["requests True 0"]


@pytest.mark.parametrize("arguments", [[], ["missing.py"]])
def test_script_that_is_not_there_is_an_error(arguments: list[str], tmp_path: Path) -> None:
    """Not a silent success."""
    argv = [sys.executable, "-m", "locust_runtime.script", *arguments]
    result = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode != 0
    assert result.stderr
