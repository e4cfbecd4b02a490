"""Rows of workers that are kept say what rows that are made anew would say."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from locust_master.worker_rows import WorkerRows
from locust_protocol.v1 import report_pb2
from tests.master.agents import Agent
from tests.master.cluster_builders import RUN_ID, Fleet, make_run, registration

WORKERS = 3


class Shown:
    """A fleet of which each step is shown by rows that are kept, and by rows that are not."""

    def __init__(self) -> None:
        self.fleet = Fleet()
        self.members = [self.fleet.join(registration(number)) for number in range(1, WORKERS + 1)]
        self.agents = [Agent(number, run_id=RUN_ID) for number in range(1, WORKERS + 1)]
        self.kept = WorkerRows()

    def do(self, step: str, number: int) -> None:
        cluster, member, agent = self.fleet.cluster, self.members[number], self.agents[number]
        if step == "start" and cluster.run is None:
            cluster.begin(make_run())
        elif step == "report" and member.is_live:
            agent.record(5_000, second=int(self.fleet.seconds), times=number + 1)
            for made in agent.reports():
                made.status.users.add(user_class="A", running=number + 2)
                made.status.runners.add(slot=0, users=number + 2)
                self.fleet.tell(member, made)
                agent.accept(made.sequence)
        elif step == "heartbeat" and member.is_live:
            status = report_pb2.WorkerStatus(cpu_percent=self.fleet.seconds, refusal="no")
            self.fleet.tell(member, report_pb2.Report(status=status))
        elif step == "second":
            self.fleet.seconds += 1
        elif step == "silence":
            self.fleet.seconds += 20
            cluster.tick(self.fleet.now_ns)
        elif step == "return":
            self.members[number] = self.fleet.join(registration(number + 1))
        elif step == "refresh":
            until_ms = 0 if cluster.run is None else cluster.run.totals.complete_until_ms()
            some = cluster.membership.all()[number:]
            self.kept.refresh(some, run=cluster.run, complete_until_ms=max(0, until_ms - 1_000 * number))
        elif step == "reset" and cluster.run is not None:
            cluster.reset_statistics()

    def rows(self, rows: WorkerRows) -> list[Any]:
        cluster = self.fleet.cluster
        until_ms = 0 if cluster.run is None else cluster.run.totals.complete_until_ms()
        shown = rows.messages(
            cluster.membership.all(), run=cluster.run, complete_until_ms=until_ms, now_ns=self.fleet.now_ns
        )
        return [row.SerializeToString(deterministic=True) for row in shown]


STEPS = st.sampled_from(
    ["start", "report", "report", "heartbeat", "second", "silence", "return", "reset", "refresh"]
)


@given(steps=st.lists(st.tuples(STEPS, st.integers(0, WORKERS - 1)), max_size=20))
def test_kept_rows_are_those_that_are_made_anew(steps: list[tuple[str, int]]) -> None:
    """What is kept to save time must not show a worker as it was."""
    shown = Shown()
    for step, number in [("start", 0), *steps]:
        shown.do(step, number)
        assert shown.rows(shown.kept) == shown.rows(WorkerRows())


def test_rows_are_those_of_the_members_that_are_named() -> None:
    """A worker that was forgotten leaves the screen, and what was kept of it."""
    shown = Shown()
    assert len(shown.rows(shown.kept)) == WORKERS
    found = shown.kept.messages(shown.members[:1], run=None, complete_until_ms=0, now_ns=0)
    assert [row.name for row in found] == ["w1"]


def test_member_does_not_keep_the_samples_of_its_report() -> None:
    """A part of a report holds all of it in memory: 1,000 workers would hold 1,000 reports."""
    shown = Shown()
    report = report_pb2.Report(status=report_pb2.WorkerStatus(cpu_percent=7.0))
    report.status.users.add(user_class="A", running=3, ended=2)
    report.status.users.add(user_class="B", running=4)
    member = shown.members[0]
    shown.fleet.tell(member, report)
    assert member.status == report.status
    assert (member.users, member.placed_users) == ((("A", 3), ("B", 4)), 9)
    report.status.Clear()
    assert member.status.cpu_percent == 7.0
