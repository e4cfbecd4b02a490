"""What no master acknowledged is left behind, exact."""

from __future__ import annotations

import json
from pathlib import Path

from locust_worker.last_words import Left, last_words, write_last_words
from tests.master.agents import Agent


def test_last_words_hold_exactly_what_was_not_acknowledged(tmp_path: Path) -> None:
    """Frozen and open samples together, and nothing that the master has."""
    agent = Agent(1)
    agent.record(5_000, name="/a")
    agent.accept(agent.reports()[-1].sequence)
    agent.record(1_000, name="/a", second=1)
    agent.record(None, name="/b", second=1, error="refused")
    agent.reports()
    agent.record(3_000, name="/a", second=2)
    agent.interrupt(name="/b", second=2)
    left = write_last_words(agent.outbox, uid=agent.uid, name="w1", folder=tmp_path)
    path = left.path
    assert path is not None
    assert left.sentence == f"no master acknowledged its last reports: their samples are in {path}"
    assert path == tmp_path / f"locust-worker-{agent.uid.hex()}.json"
    found = json.loads(path.read_text())
    assert found["requests"] == 3
    assert found["sequences"] == [2]
    assert (found["begin_ms"], found["end_ms"]) == (1_000, 3_000)
    rows = {row["name"]: row for row in found["series"]}
    assert (rows["/a"]["requests"], rows["/a"]["successful"]["total_us"]) == (2, 4_000)
    assert (rows["/b"]["failures"], rows["/b"]["interrupted"]) == (1, 1)
    assert found["errors"] == [{"name": "/b", "message": "refused", "count": 1}]


def test_nothing_is_written_when_all_was_acknowledged(tmp_path: Path) -> None:
    """A file that says nothing would only frighten."""
    agent = Agent(1)
    agent.record(5_000)
    agent.accept(agent.reports()[-1].sequence)
    assert last_words(agent.outbox) is None
    assert write_last_words(None, uid=agent.uid, name="w1", folder=tmp_path) == Left()
