"""Which samples count, and under which name: a reset under load, and names that do not end."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from locust_protocol.v1 import control_service_pb2 as control
from locust_protocol.v1 import snapshot_pb2
from tests.support.cluster import Cluster
from tests.support.wait import wait_until

pytestmark = pytest.mark.end_to_end

LOCUSTFILES = Path(__file__).parent / "locustfiles"
DEADLINE_S = 60.0
USERS = 8

ENDLESS_NAMES = """
import itertools
from locust import FastHttpUser, constant, task

class Shopper(FastHttpUser):
    wait_time = constant(0.01)
    numbers = itertools.count()

    @task
    def item(self):
        self.client.get(f"/item/{next(self.numbers)}")
"""


class PhasedTarget(ThreadingHTTPServer):
    """Answers with the phase, and counts how often it answered which."""

    def __init__(self) -> None:
        self.phase = "before"
        self.answered: Counter[str] = Counter()
        self._by_connection: Counter[tuple[str, object]] = Counter()
        self._lock = threading.Lock()
        target = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with target._lock:
                    phase = target.phase
                    target.answered[phase] += 1
                    target._by_connection[phase, self.client_address] += 1
                self.send_response(200)
                self.send_header("Content-Length", str(len(phase)))
                self.end_headers()
                self.wfile.write(phase.encode())

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        super().__init__(("127.0.0.1", 0), Handler)
        self.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def enter(self, phase: str) -> None:
        """Answers with `phase` from now on."""
        with self._lock:
            self.phase = phase

    def wait_answers(self, phase: str, count: int) -> None:
        """Waits until a phase was answered so often."""
        wait_until(lambda: self.answered[phase] >= count, deadline_s=DEADLINE_S, describe=f"{count} {phase}")

    def wait_second_answers(self, phase: str, connections: int) -> None:
        """Waits until so many connections have asked again after an answer of a phase: they have read it."""

        def again() -> list[object]:
            with self._lock:
                return [count for (of, _), count in self._by_connection.items() if of == phase and count > 1]

        wait_until(
            lambda: len(again()) >= connections, deadline_s=DEADLINE_S, describe=f"{connections} in {phase}"
        )


@contextmanager
def phased_target() -> Iterator[PhasedTarget]:
    with PhasedTarget() as target:
        thread = threading.Thread(target=target.serve_forever)
        thread.start()
        try:
            yield target
        finally:
            target.shutdown()
            thread.join()


def test_reset_under_load_drops_all_of_before_and_loses_nothing_of_after(tmp_path: Path) -> None:
    """What the target answered says on which side of the reset a sample belongs."""
    with (
        phased_target() as target,
        Cluster(tmp_path, LOCUSTFILES / "phases.py", workers=2, runners=2, host=target.url) as cluster,
    ):
        cluster.client.start(users=USERS, spawn_rate=50)
        cluster.client.wait_users(USERS)
        target.wait_answers("before", 200)
        target.enter("between")
        # Every user, each of whom has a connection, has read an answer of this phase: none of before is on
        # its way any more.
        target.wait_second_answers("between", USERS)
        request = control.ResetStatisticsRequest(precondition=cluster.client.precondition())
        cluster.client.stub.ResetStatistics(request, timeout=DEADLINE_S)
        target.enter("after")
        target.wait_answers("after", 200)
        cluster.client.stop()
        snapshot = cluster.client.wait_state(snapshot_pb2.RUN_STATE_STOPPED)
        snapshot = cluster.client.snapshot()
        reported = {row.definition.name: row.requests + row.interrupted for row in snapshot.series}
        assert "before" not in reported
        assert reported["after"] == target.answered["after"]


def test_names_without_end_count_exactly_and_are_told(tmp_path: Path) -> None:
    """Ids in URLs must fill neither memory nor screens, and cost no sample."""
    locustfile = tmp_path / "locustfile.py"
    locustfile.write_text(ENDLESS_NAMES)
    with (
        phased_target() as target,
        Cluster(
            tmp_path,
            locustfile,
            workers=2,
            host=target.url,
            master_options=("--max-names", "10"),
        ) as cluster,
    ):
        cluster.client.start(users=USERS, spawn_rate=50)
        target.wait_answers("before", 400)
        cluster.client.stop()
        cluster.client.wait_state(snapshot_pb2.RUN_STATE_STOPPED)
        snapshot = cluster.client.snapshot()
        assert len(snapshot.series) == 11
        assert sum(row.requests + row.interrupted for row in snapshot.series) == target.answered["before"]
        (warning,) = (w for w in snapshot.warnings if w.kind == snapshot_pb2.WARNING_KIND_NAMES_LIMITED)
        assert warning.text.count("GET /item/") == 5
