"""The fast way from a report to the totals gives what the slow one gives, for any sender."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from locust_master.merging.decoding import decode_slice
from locust_master.merging.errors import MalformedReport
from locust_master.merging.sums import Sums
from locust_master.merging.totals import RunTotals
from locust_protocol.v1 import report_pb2
from tests.master.agents import Agent
from tests.master.merging.slow_decoding import slow_rows
from tests.master.merging.test_broken_senders import broken, changes, response_times, sound_report
from tests.master.merging.test_totals_laws import Sample, samples

NO_ROWS = "refused"


def rows_or_refusal(message: report_pb2.Slice, *, fast: bool) -> list[tuple[int, Sums]] | str:
    try:
        return decode_slice(message).rows if fast else slow_rows(message)
    except MalformedReport:
        return NO_ROWS


def fed(agent: Agent, script: list[Sample]) -> Agent:
    for each in script:
        agent.record(
            each.value_us, name=each.name, second=each.second, width_s=each.width_s, error=each.error
        )
    return agent


@given(script=st.lists(samples, max_size=40))
@settings(max_examples=150, deadline=None)
def test_columns_hold_what_rows_hold(script: list[Sample]) -> None:
    """Speed must not change a single sample."""
    for report in fed(Agent(1), script).reports():
        for message in report.slices:
            assert rows_or_refusal(message, fast=True) == slow_rows(message)


@given(values=response_times, wanted=changes)
@settings(max_examples=500, deadline=None)
def test_what_the_slow_way_refuses_is_refused_and_nothing_else(
    values: list[int], wanted: list[tuple[str, int]]
) -> None:
    """The checks are written anew for speed: each of them must still be there, and none be harsher."""
    report = sound_report(values)
    (message,) = broken(report, wanted).slices
    assert rows_or_refusal(message, fast=True) == rows_or_refusal(message, fast=False)


def facts(totals: RunTotals) -> list[object]:
    """All that screens show."""
    rows = [totals.total, *totals.series]
    return [
        [
            (row.id, row.sums, row.first_ms, row.last_ms, row.timeline.requests(), row.recent.requests(0, 20))
            for row in rows
        ],
        [
            (each.number, each.requests, each.failures, each.timed)
            for each in totals.history.between(0, 99_000)
        ],
        totals.all_epochs,
    ]


@given(
    scripts=st.lists(st.lists(samples, max_size=12), min_size=1, max_size=6), at_ms=st.integers(1_000, 12_000)
)
@settings(max_examples=100, deadline=None)
def test_gathered_slices_count_as_if_each_was_looked_at(scripts: list[list[Sample]], at_ms: int) -> None:
    """What waits until somebody looks must not depend on who looks when."""
    watched, unwatched = RunTotals(), RunTotals()
    agents = [Agent(number + 1) for number in range(3)]
    for turn, script in enumerate(scripts):
        agent = fed(agents[turn % 3], script)
        for report in agent.reports():
            for totals in (watched, unwatched):
                totals.apply(agent.key, agent.name, report, at_ms=at_ms + 700 * turn)
            facts(watched)
            agent.accept(report.sequence)
    assert facts(watched) == facts(unwatched)
