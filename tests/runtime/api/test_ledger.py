"""What was sent is what is recorded: users of both clients are stopped in full flight, the target counts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.target import Target

SCRIPT = """
import json, sys
import gevent
from locust import FastHttpUser, HttpUser, constant, task
from locust.env import Environment
from locust_runtime.run import spawner

spawner.REQUEST_GRACE_S = 60  # a machine that stands still for a moment makes no slow target

host, base, stop_timeout, rounds = sys.argv[1], globals()[sys.argv[2]], float(sys.argv[3]), int(sys.argv[4])

class Shopper(base):
    wait_time = constant(0)

    @task
    def look(self):
        self.client.get("/")

    @task
    def judged(self):
        with self.client.get("/", name="judged", catch_response=True) as response:
            gevent.sleep(0.002)
            response.success()

    def on_stop(self):
        self.client.get("/", name="bye")

environment = Environment(user_classes=[Shopper], host=host, stop_timeout=stop_timeout)
runner = environment.create_local_runner()
recorded = interrupted = bye = 0
for _ in range(rounds):
    runner.start(30, spawn_rate=1000, wait=True)
    while environment.stats.num_requests < 300:
        gevent.sleep(0.001)
    runner.stop()
    assert runner.user_count == 0
    total = environment.stats.total
    assert total.num_failures == 0, environment.stats.errors
    recorded += total.num_requests
    interrupted += total.num_interrupted
    bye += environment.stats.entries["bye", "GET"].num_requests
runner.quit()
print(json.dumps({"recorded": recorded, "interrupted": interrupted, "bye": bye}))
"""

ROUNDS = 3
USERS = 30


@pytest.mark.parametrize("stop_timeout_s", [0, 5])
@pytest.mark.parametrize("base", ["HttpUser", "FastHttpUser"])
def test_target_counts_what_was_recorded_when_users_are_stopped_in_flight(
    base: str, stop_timeout_s: float, tmp_path: Path
) -> None:
    """Not one more and not one less, on_stop's request included; a fast target leaves none interrupted."""
    script = tmp_path / "ledger.py"
    script.write_text(SCRIPT)
    with Target() as target:
        argv = [sys.executable, "-m", "locust_runtime.script", str(script), target.url, base]
        argv += [str(stop_timeout_s), str(ROUNDS)]
        result = subprocess.run(argv, capture_output=True, text=True, timeout=100, check=False)
        assert result.returncode == 0, result.stderr
        totals = json.loads(result.stdout)
        assert target.total() == totals["recorded"]
    assert totals["interrupted"] == 0
    assert totals["bye"] == ROUNDS * USERS
